"""The system calls that a process which only computes has no use for, with their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Name, number on x86-64, number on AArch64 and RISC-V; a dash where there is none.
_TABLE = """
socket 41 198
socketpair 53 199
connect 42 203
bind 49 200
listen 50 201
accept 43 202
accept4 288 242
sendto 44 206
sendmsg 46 211
sendmmsg 307 269

execve 59 221
execveat 322 281
fork 57 -
vfork 58 -

creat 85 -
truncate 76 45
rename 82 -
renameat 264 38
renameat2 316 276
link 86 -
linkat 265 37
symlink 88 -
symlinkat 266 36
unlink 87 -
unlinkat 263 35
mkdir 83 -
mkdirat 258 34
rmdir 84 -
mknod 133 -
mknodat 259 33
chmod 90 -
fchmodat 268 53
fchmodat2 452 452
chown 92 -
lchown 94 -
fchownat 260 54
utime 132 -
utimes 235 -
futimesat 261 -
utimensat 280 88
setxattr 188 5
lsetxattr 189 6
removexattr 197 14
lremovexattr 198 15
open_by_handle_at 304 265

mount 165 40
umount2 166 39
pivot_root 155 41
chroot 161 51
swapon 167 224
swapoff 168 225
fsopen 430 430
move_mount 429 429
open_tree 428 428
mount_setattr 442 442
unshare 272 97
setns 308 268

ptrace 101 117
process_vm_readv 310 270
process_vm_writev 311 271
tkill 200 130
pidfd_open 434 434
pidfd_getfd 438 438
pidfd_send_signal 424 424
rt_sigqueueinfo 129 138
rt_tgsigqueueinfo 297 240

bpf 321 280
perf_event_open 298 241
userfaultfd 323 282
add_key 248 217
request_key 249 218
keyctl 250 219
init_module 175 105
finit_module 313 273
delete_module 176 106
kexec_load 246 104
kexec_file_load 320 294
reboot 169 142
sethostname 170 161
setdomainname 171 162
settimeofday 164 170
clock_settime 227 112
acct 163 89
quotactl 179 60
syslog 103 116
iopl 172 -
ioperm 173 -

shmget 29 194
shmat 30 196
shmctl 31 195
msgget 68 186
msgsnd 69 189
msgrcv 70 188
semget 64 190
semop 65 193
mq_open 240 180
mq_unlink 241 181
"""

# Those that hide what they ask for behind a pointer: callers fall back on the older ones.
_ABSENT = """
openat2 437 437
clone3 435 435
io_uring_setup 425 425
io_uring_enter 426 426
io_uring_register 427 427
"""

# Those of which it depends on an argument.
_DEPENDS = """
open 2 -
openat 257 56
clone 56 220
kill 62 129
tgkill 234 131
ioctl 16 29
"""

SECCOMP = {"x86_64": 317, "aarch64": 277, "riscv64": 277}
"""Machine -> number of the call that installs a filter."""
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3}


def _numbers(table: str, machine: str) -> Mapping[str, int]:
    column = 1 if machine == "x86_64" else 2
    rows = (line.split() for line in table.split("\n") if line)
    return MappingProxyType({row[0]: int(row[column]) for row in rows if row[column] != "-"})


def denied(machine: str) -> Mapping[str, int]:
    """Calls that end the process."""
    return _numbers(_TABLE, machine)


def absent(machine: str) -> Mapping[str, int]:
    """Calls that fail as if the kernel did not have them."""
    return _numbers(_ABSENT, machine)


def depending(machine: str) -> Mapping[str, int]:
    """Calls whose arguments are looked at."""
    return _numbers(_DEPENDS, machine)
