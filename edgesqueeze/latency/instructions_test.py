import pytest

from edgesqueeze.latency.instructions import Instruction, kind_of, parse_disassembly

TEXT = """
program:     file format elf32-littlearm

000003ac <stub_invoke>:
 3ac:	6801      \tldr\tr1, [r0, #0]
 3ae:	4802      \tldr\tr0, [pc, #8]\t@ (3b8 <stub_invoke+0xc>)
 3b0:	f101 0210 \tadd.w\tr2, r1, #16
 3b4:	e8bd 83f0 \tldmia.w\tsp!, {r4, r5, r6, r7, r8, r9, pc}
 3b8:	21000000 \t.word\t0x21000000
 3bc:	bf00      \tnop
 3be:	ecbd 8b10 \tvpop\t{d8-d15}
 3c2:	ea55 b343 \t\t\t@ <UNDEFINED> instruction: 0xea55b343
"""


def test_a_disassembly():
    found = parse_disassembly(TEXT)
    assert list(found.values()) == [
        Instruction(0x3AC, 2, "load"),
        Instruction(0x3AE, 2, "load"),
        Instruction(0x3B0, 4, "alu"),
        Instruction(0x3B4, 4, "load_multiple", 7),
        Instruction(0x3BC, 2, "alu"),
        Instruction(0x3BE, 4, "load_multiple", 16),
        Instruction(0x3C2, 4, "alu"),
    ]
    assert found[0x3B0].end == 0x3B4


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ldrb.w ip, [r0, #1]", "load"),
        ("ldrd r0, r1, [r2], #8", "load_pair"),
        ("strheq r0, [r1]", "store"),
        ("push {r4, lr}", "store_multiple"),
        ("bls.n 3a0", "branch"),
        ("ble.w 3a0", "branch"),
        ("b.n 3a0", "branch"),
        ("bx lr", "branch"),
        ("cbnz r0, 3a0", "branch"),
        ("bl 3a0", "call"),
        ("le lr, 3a0", "loop"),
        ("dlstp.8 lr, r0", "loop"),
        ("bic.w r0, r0, #1", "alu"),
        ("movs r0, #1", "alu"),
        ("muls r0, r1", "multiply"),
        ("smmulr r0, r1, r2", "multiply"),
        ("smlad r0, r1, r2, r3", "multiply_accumulate"),
        ("smlal r0, r1, r2, r3", "multiply_accumulate_long"),
        ("umull r0, r1, r2, r3", "multiply_long"),
        ("sdiv r0, r1, r2", "divide"),
        ("vmov s15, r2", "float"),
        ("vfma.f32 s0, s1, s2", "float_multiply_accumulate"),
        ("vldr s0, [r0]", "float_load"),
        ("vldrb.8 q0, [r0], #16", "vector_load"),
        ("vmladava.s8 r0, q2, q0", "vector_multiply"),
        ("vqrdmulh.s32 q0, q1, q2", "vector_multiply"),
        ("vadd.i32 q0, q1, q2", "vector"),
        ("vmov r0, r1, q2[2], q2[0]", "vector_move"),
        ("bf 1a, 2b", "branch"),
        ("bfl 1a, 2b", "branch"),
        ("bfx 1a, r0", "branch"),
        ("bflx 1a, r0", "branch"),
        ("bfcsel 1a, 2b, 1c, eq", "branch"),
        ("bfi r0, r1, #8, #8", "alu"),
        ("bfc r0, #8, #8", "alu"),
        ("vpst", "vector"),
        ("vctp.8 r0", "vector"),
    ],
)
def test_classes(text, kind):
    mnemonic, _, operands = text.partition(" ")
    assert kind_of(mnemonic, operands) == kind
