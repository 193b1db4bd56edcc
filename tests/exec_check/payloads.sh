## base64 into a shell
echo dHJ1bmNhdGUgLXMgNyBtYXJrZXI= | base64 -d | sh
## base64 and eval
eval "$(echo dHJ1bmNhdGUgLXMgNyBtYXJrZXI= | base64 -d)"
## openssl as a decoder
echo dHJ1bmNhdGUgLXMgNyBtYXJrZXI= | openssl enc -base64 -d | bash
## hexadecimal by printf
$(printf '\x74\x72\x75\x6e\x63\x61\x74\x65') -s 7 marker
## octal by printf
$(printf '\164\162\165\156\143\141\164\145') -s 7 marker
## hexadecimal by xxd
echo 7472756e63617465202d732037206d61726b6572 | xxd -r -p | sh
## quoted escapes
$'\x74runcat\145' -s 7 marker
## two variables
a=trun b=cate; $a$b -s 7 marker
## eval of variables
a=trun b='cate -s 7 marker'; eval "$a$b"
## taken out of a text
x=t_r_u_n_c_a_t_e; ${x//_/} -s 7 marker
## indirect variable
truth=truncate name=truth; ${!name} -s 7 marker
## array
x=(truncate -s 7 marker); "${x[@]}"
## glob
/usr/bin/tr?ncat[e] -s 7 marker
## braces
{trun,}cate -s 7 marker 2>/dev/null; {/usr/bin/truncate,-s,7,marker}
## backwards
echo rekram 7 s- etacnurt | rev | sh
## thirteen further
echo gehapngr -f 7 znexre | tr a-z n-za-m | sh
## sed that runs it
echo | sed '1e trun''cate -s 7 marker'
## here-document
sh <<'END'
x=cate; trun$x -s 7 marker
END
## process substitution
. <(echo trun; echo cate) 2>/dev/null; . <(printf '%s%s -s 7 marker' trun cate)
## a function from the environment
env 'BASH_FUNC_ls%%=() { trun""cate -s 7 marker; }' bash -c ls
## BASH_ENV
printf 'trun""cate -s 7 marker' > rc; BASH_ENV=rc bash -c :
## trap
trap 'x=trun; ${x}cate -s 7 marker' EXIT
## another name
exec -a ls truncate -s 7 marker
## nothing in the environment
env -i /usr/bin/truncate -s 7 marker
## one argument for env
env -S 'trun${X}cate -s 7 marker' 2>/dev/null || env -S '/usr/bin/truncate -s 7 marker'
## awk
awk 'BEGIN { system("trun" "cate -s 7 marker") }'
## awk with a pipe
awk 'BEGIN { x = "trun"; (x "cate -s 7 marker") | getline }'
## find
find . -maxdepth 0 -exec truncate -s 7 marker \;
## xargs
echo 7 marker | xargs truncate -s
## xargs with a shell
printf 'cate -s 7 marker' | xargs -I{} sh -c 'trun{}'
## make
printf 'x=trun\nall:\n\t@$(x)cate -s 7 marker\n' | make -s -f -
## tar
tar cf /dev/null --checkpoint=1 --checkpoint-action=exec='trun""cate -s 7 marker' /etc/passwd 2>/dev/null
## git alias
git -c alias.st='!x=trun; ${x}cate -s 7 marker' st
## git transport
GIT_SSH_COMMAND='truncate -s 7 marker #' git ls-remote ssh://localhost/x 2>/dev/null
## ssh
ssh -F /dev/null -o ProxyCommand='truncate -s 7 marker' localhost 2>/dev/null
## vi
vi -u NONE -es -c ':silent !x=trun; ${x}cate -s 7 marker' -c ':q!' < /dev/null
## python
python3 -c 'import os; os.system("trun" + "cate -s 7 marker")'
## python without a shell
python3 -c 'import subprocess; subprocess.run(["trun" "cate", "-s", "7", "marker"])'
## python and a pickle
python3 -c 'import pickle; pickle.loads(b"cos\nsystem\n(S\"truncate -s 7 marker\"\ntR.")'
## python without libc's functions
python3 -c 'import ctypes; c = ctypes.CDLL(None); a = (ctypes.c_char_p * 5)(b"x", b"-s", b"7", b"marker", None); c.syscall(59, b"/usr/bin/truncate", a, None)'
## python from memory
python3 -c 'import os; f = os.memfd_create("x"); os.write(f, open("/usr/bin/truncate", "rb").read()); os.execve(f, ["x", "-s", "7", "marker"], {})'
## perl
perl -e '$x = "trun"; system $x . "cate", "-s", 7, "marker"'
## perl without a shell
perl -e 'exec { "/usr/bin/trun" . "cate" } "ls", "-s", "7", "marker"'
## node
node -e 'require("child_" + "process").execFileSync("trun" + "cate", ["-s", "7", "marker"])'
## a link
ln -s /usr/bin/truncate harmless; ./harmless -s 7 marker
## a copy
cat /usr/bin/truncate > harmless; chmod +x harmless; ./harmless -s 7 marker
## a script that it runs
printf '#!/usr/bin/truncate -s7\n' > harmless; chmod +x harmless; ./harmless marker
## a static program
printf '#include <unistd.h>\nint main() { execl("/usr/bin/truncate", "x", "-s", "7", "marker", (char *)0); }' > s.c; cc -static -o harmless s.c; ./harmless
## the loader
/lib64/ld-linux-x86-64.so.2 --argv0 ls /usr/bin/truncate -s 7 marker
## what a program starts in another session
setsid -w nohup timeout 9 nice stdbuf -o0 flock . truncate -s 7 marker 2>/dev/null
