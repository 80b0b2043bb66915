// Shows what a mark is about where the pointer rests, or a finger taps: the text that screen readers get.
(function () {
  "use strict";
  var box = document.getElementById("hint");
  function show(event) {
    var mark = event.target.closest ? event.target.closest(".role-mark [aria-label]") : null;
    if (!mark) {
      box.hidden = true;
      return;
    }
    box.textContent = mark.getAttribute("aria-label");
    box.hidden = false;
    var left = Math.min(event.clientX + 14, window.innerWidth - box.offsetWidth - 8);
    var below = event.clientY + 18;
    var top = below + box.offsetHeight > window.innerHeight ? event.clientY - box.offsetHeight - 10 : below;
    box.style.left = Math.max(8, left) + "px";
    box.style.top = Math.max(8, top) + "px";
  }
  document.addEventListener("pointermove", show, { passive: true });
  document.addEventListener("pointerdown", show, { passive: true });
  document.addEventListener("scroll", function () { box.hidden = true; }, { passive: true, capture: true });
})();
