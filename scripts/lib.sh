# Shell functions that the scripts in this folder share. Read with `source`, never run by itself.
# shellcheck shell=bash

ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${EDGESQUEEZE_VENV:-$ROOT/.venv}"
[[ $VENV == /* ]] || VENV="$PWD/$VENV"
PY="$VENV/bin/python"

# A file that marks an environment as made by these scripts: only such a one is ever removed and made anew.
MARKER="$VENV/.made-by-edgesqueeze-scripts"

# What the tests need besides Python: Debian package | command that succeeds when it is there | what it is for.
SYSTEM_TOOLS=(
  "g++|command -v g++|the tests that compile emitted C and C++ for this machine"
  "gcc|command -v gcc|the tests that run native C on this machine"
  "make|command -v make|the tests that build generated C with its own Makefile"
  "cmake|command -v cmake|the tests that build generated C with its own CMakeLists.txt"
  "clang|command -v clang|the tests that compile native C with a second compiler"
  "qemu-system-arm|command -v qemu-system-arm|the tests that run native C on an emulated Cortex-M"
  "gcc-arm-none-eabi|command -v arm-none-eabi-g++|the tests that compile emitted firmware for Cortex-M"
  "libnewlib-arm-none-eabi|compiler_has libc.a|the tests that compile emitted firmware for Cortex-M"
  "libstdc++-arm-none-eabi-newlib|compiler_has libstdc++.a|the tests that compile emitted firmware for Cortex-M"
  "openssh-client|command -v ssh|the tests that measure over SSH"
  "openssh-server|command -v /usr/sbin/sshd|the tests that measure over SSH, on this machine as the device"
  "qemu-user-static|command -v qemu-aarch64-static|the tests that measure on an emulated Raspberry Pi"
  "debian-archive-keyring|test -e /usr/share/keyrings/debian-archive-keyring.gpg|the tests that measure on an emulated Raspberry Pi"
  "chromium|command -v chromium|the tests that open the page of a report, and those that measure in a browser"
  "npm|command -v npm|the tests that measure in a browser: it fetches LiteRT.js"
  "openssl|command -v openssl|the tests that measure in a browser over https"
  "debootstrap|command -v /usr/sbin/debootstrap|the tests that measure on an emulated Raspberry Pi (it names Debian's mirror)"
)

# The user's Python settings are not ours, and pip's own must not lead it out of the environment.
unset PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0
# TensorFlow: warnings and errors only.
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-2}"

say() { printf '==> %s\n' "$*" >&2; }
note() { printf '    %s\n' "$@" >&2; }
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  (($# == 0)) || note "$@"
  exit 1
}
in_ci() { [[ -n ${CI:-} && ${CI:-} != false && ${CI:-} != 0 ]]; }

# --- apt ------------------------------------------------------------------------------------------------

AS_ROOT=()
APT_UPDATED=

# Whether packages can be installed without asking: as root, or in CI with a sudo that needs no password.
can_apt() {
  command -v apt-get >/dev/null || return 1
  ((EUID == 0)) && return 0
  if in_ci && command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    AS_ROOT=(sudo -n)
    return 0
  fi
  return 1
}

apt_update() {
  [[ -z $APT_UPDATED ]] || return 0
  APT_UPDATED=1
  say "apt-get update"
  "${AS_ROOT[@]}" apt-get -qq -o Acquire::Retries=3 update </dev/null >&2 ||
    note "apt-get update failed; going on with the package lists that are here"
}

# Install packages; its status says whether that worked. Only after can_apt.
apt_install() {
  apt_update
  say "apt-get install $*"
  "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq -y \
    -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    install --no-install-recommends "$@" </dev/null >&2
}

apt_has() { [[ "$(apt-cache policy "$1" 2>/dev/null)" == *"Candidate: "[0-9]* ]]; }

# --- Python ---------------------------------------------------------------------------------------------

python_supported() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }
python_has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }
python_version() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'; }
python_series() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

# The first supported Python on the PATH, as a path. Where nothing can be installed, one that can make
# environments goes before one that cannot.
find_supported_python() {
  local name path fallback=
  for name in python3 python3.13 python3.12 python3.11 python3.10; do
    path="$(command -v "$name")" || continue
    python_supported "$path" || continue
    if can_apt || python_has_venv "$path"; then
      printf '%s\n' "$path"
      return 0
    fi
    fallback="${fallback:-$path}"
  done
  [[ -n $fallback ]] && printf '%s\n' "$fallback"
}

apt_install_python() {
  local version
  apt_update
  for version in 3.13 3.12 3.11 3.10; do
    if apt_has "python$version"; then
      apt_install "python$version" "python$version-venv"
      return
    fi
  done
  return 1
}

# Set BASE_PYTHON to the Python that the environment is made with.
choose_python() {
  if [[ -n ${PYTHON:-} ]]; then
    BASE_PYTHON="$(command -v "$PYTHON")" || die "PYTHON is $PYTHON, and there is no such command"
    python_supported "$BASE_PYTHON" ||
      die "PYTHON is $PYTHON; EdgeSqueeze needs Python 3.10, 3.11, 3.12 or 3.13" \
        "it says: $("$BASE_PYTHON" --version 2>&1 | head -n 1)"
  elif ! BASE_PYTHON="$(find_supported_python)"; then
    { can_apt && apt_install_python && BASE_PYTHON="$(find_supported_python)"; } || die \
      "EdgeSqueeze needs Python 3.10, 3.11, 3.12 or 3.13, and none is on the PATH" \
      "on Debian or Ubuntu: sudo apt-get install python3 python3-venv; where that is another version, install" \
      "one of these by other means and name it: PYTHON=/path/to/python3.12 $0"
  fi
}

require_venv_module() {
  python_has_venv "$BASE_PYTHON" && return
  local package
  package="python$(python_series "$BASE_PYTHON")-venv"
  if can_apt; then
    say "$BASE_PYTHON cannot make virtual environments (ensurepip is missing)"
    apt_install "$package" || true
    python_has_venv "$BASE_PYTHON" && return
  fi
  die "$BASE_PYTHON cannot make virtual environments (ensurepip is missing)" \
    "run: sudo apt-get install $package"
}

# What identifies a Python: its version and the installation behind a virtual environment.
python_identity() { "$1" -c 'import os, sys; print(sys.version_info[:3], os.path.realpath(sys.base_prefix))'; }

venv_works() { [[ -x $PY ]] && python_supported "$PY" && "$PY" -m pip --version >/dev/null 2>&1; }

venv_is_wanted() {
  venv_works || return 1
  [[ -z ${PYTHON:-} ]] || [[ "$(python_identity "$PY")" == "$(python_identity "$PYTHON")" ]]
}

# Make the virtual environment unless it is there, works and has the Python that PYTHON asks for.
ensure_venv() {
  [[ -z ${PYTHON:-} ]] || choose_python
  venv_is_wanted && return
  [[ -n ${BASE_PYTHON:-} ]] || choose_python
  require_venv_module
  if [[ -e $VENV ]]; then
    [[ -e $MARKER || -z "$(ls -A -- "$VENV")" ]] || die \
      "$VENV is there, is not of these scripts' making, and does not work or has another Python" \
      "remove it, or choose another folder with EDGESQUEEZE_VENV"
    say "removing $VENV: it does not work or has another Python"
    rm -rf -- "$VENV"
  fi
  say "making $VENV with Python $(python_version "$BASE_PYTHON") ($BASE_PYTHON)"
  mkdir -p -- "$VENV"
  : >"$MARKER"
  "$BASE_PYTHON" -m venv -- "$VENV"
}

# What an installation depends on. The folder is part of it: an editable installation points there.
install_key() {
  printf '%s\n%s\n' "$ROOT" "$(python_identity "$PY")"
  sha256sum <"$ROOT/pyproject.toml"
}

# Install EdgeSqueeze, editable, with one of its extras; nothing happens when nothing has changed.
# A second extra names a larger one that serves as well.
ensure_installed() {
  local extra="$1" stamp key started=$SECONDS
  ensure_venv
  key="$(install_key)"
  for stamp in "$@"; do
    [[ "$(cat -- "$VENV/.installed-$stamp" 2>/dev/null)" == "$key" ]] && return
  done
  say "installing EdgeSqueeze with [$extra] into $VENV (TensorFlow is large: this can take some minutes)"
  rm -f -- "$VENV/.installed-$extra"
  (cd -- "$ROOT" && "$PY" -m pip install --quiet --editable ".[$extra]" </dev/null >&2) ||
    die "the installation failed" "pip's message above says why; run the script again to go on"
  printf '%s\n' "$key" >"$VENV/.installed-$extra"
  note "installed in $((SECONDS - started)) s"
}

# --- what tests need besides Python ---------------------------------------------------------------------

# Whether the Arm compiler finds a library: it answers with a path then, else with the bare name.
compiler_has() { [[ "$(arm-none-eabi-gcc -print-file-name="$1" 2>/dev/null)" == */* ]]; }

missing_tools() {
  local row package rest check
  for row in "${SYSTEM_TOOLS[@]}"; do
    package="${row%%|*}" rest="${row#*|}" check="${rest%%|*}"
    $check >/dev/null 2>&1 || printf '%s\n' "$package"
  done
}

purpose_of() {
  local row
  for row in "${SYSTEM_TOOLS[@]}"; do
    [[ ${row%%|*} != "$1" ]] || printf '%s\n' "${row##*|}"
  done
}

# Install the missing system tools, or say which and what goes without. In CI a missing one ends the run.
ensure_system_tools() {
  local missing package known=()
  mapfile -t missing < <(missing_tools)
  ((${#missing[@]})) || return 0
  say "missing system tools: ${missing[*]}"
  if can_apt; then
    apt_update
    # A package that this release lacks (Ubuntu has no chromium outside of snap) must not keep the others away.
    for package in "${missing[@]}"; do
      if apt_has "$package"; then known+=("$package"); else note "there is no package $package here"; fi
    done
    ((${#known[@]} == 0)) || apt_install "${known[@]}" || note "apt-get install failed"
    mapfile -t missing < <(missing_tools)
    ((${#missing[@]})) || return 0
  fi
  for package in "${missing[@]}"; do
    note "without $package are skipped: $(purpose_of "$package")"
  done
  note "to install: sudo apt-get install ${missing[*]}"
  if in_ci; then
    die "in CI nothing is skipped for the lack of a tool"
  fi
}

# Set up tflite-runtime in its own environment. Its last release needs a Python no newer than 3.11: where
# there is none, EDGESQUEEZE_WITHOUT names it, so that its tests know that a skip has been announced.
ensure_tflite_runtime() {
  local said version
  said="$("$PY" -m edgesqueeze.runners.tflite_runtime)" || die "edgesqueeze cannot be imported"
  [[ $said == *"not set up"* ]] || return 0
  if ! tflite_runtime_python && can_apt; then
    for version in 3.11 3.10 3.9; do
      if apt_has "python$version"; then
        apt_install "python$version" "python$version-venv" || note "apt-get install failed"
        break
      fi
    done
  fi
  if tflite_runtime_python; then
    say "installing tflite-runtime in an environment of its own"
    if "$PY" -m edgesqueeze.runners.tflite_runtime --install >&2; then
      return 0
    fi
    if in_ci; then
      die "tflite-runtime could not be installed; in CI nothing is skipped for the lack of a tool"
    fi
  fi
  export EDGESQUEEZE_WITHOUT=tflite-runtime
  say "SKIPPED: the tests under tflite-runtime"
  note "its wheels need Python 3.9, 3.10 or 3.11 (with the venv module) on the PATH; with one there, run again"
}

tflite_runtime_python() {
  "$PY" -c 'from edgesqueeze.runners.tflite_runtime import find_python; find_python()' >/dev/null 2>&1
}

# How many processes the tests run in: one a core, and each may need 2 GiB (TensorFlow, and what it converts).
test_workers() {
  local cores memory
  cores="$(nproc)"
  memory="$(awk '/^MemAvailable/ { print int($2 / 2097152) }' /proc/meminfo 2>/dev/null)"
  ((${memory:-$cores} >= cores)) || cores="$((memory > 0 ? memory : 1))"
  printf '%s\n' "$cores"
}

# Print the comment at the head of a script, which is its help.
print_help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$1"; }
