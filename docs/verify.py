#!/usr/bin/env python3
"""Checks the hash chain of an audit trail, schema rampart.audit.v2 (docs/audit.md): verify.py FOLDER

Slices bytes and never re-serialises. Signatures, Merkle roots and witnesses are left to `rampart audit verify`."""
import hashlib, json, pathlib, re, sys

LINE = re.compile(rb'(\{"v":"rampart\.audit\.v2","seq":(\d+),"type":"([a-z]+)",.*),"h":"([0-9a-f]{64})"\}\n')

def check(holds, file, number, message):
    if not holds:
        sys.exit(print(f"{file.name}:{number}: {message}") or 1)

def verify(files, told=(), retired=(), seq=0, head=bytes(32), count=0):
    for file in files:  # a segment's first records tell how the one before it ended
        for match in map(LINE.fullmatch, file.open("rb")):
            if not match or match[3] not in (b"open", b"recover", b"lost", b"gap"):
                break
            told = [*told, json.loads(match[0])] if match[3] in (b"recover", b"lost") else told
    lost = [t for t in told if t["type"] == "lost"]
    for file in files:
        offset = 0
        for number, line in enumerate(file.open("rb"), 1):
            match = LINE.fullmatch(line)
            if match and number == 1:  # an `open` record says what it continues, and what is missing before it was told
                first, prev = int(match[2]), bytes.fromhex(json.loads(match[0])["prev"])
                start = start if count else (first - 1, prev)
                gap = any(t["first"] <= seq + 1 and t["last"] >= first - 1 for t in lost)
                check((first, prev) == (seq + 1, head) or gap or not count, file, 1, f"does not continue record {seq}")
                seq, head = first - 1, prev
            link = match and hashlib.sha256(b"rampart/audit/v2\n" + head + match[1]).digest()
            holds = match and int(match[2]) == seq + 1 and link.hex().encode() == match[4]
            torn = [t for t in told if (t["type"], t["segment"], t["offset"]) == ("recover", file.name, offset)]
            ended = [t for t in lost if t["segment"] == file.name and t["offset"] <= offset]
            if torn or any(t["last"] == seq for t in ended) or not holds:  # the records of this segment end here
                rest = file.read_bytes()[offset:]
                cut = file == files[-1] and rest == line and not re.search(rb'"h":"[0-9a-f]{64}"\}.|\n', rest, re.S)
                as_told = hashlib.sha256(rest).hexdigest() == torn[0]["sha256"] if torn else ended or cut
                check(as_told, file, number, f"is neither record {seq + 1} as it was written nor recorded as torn")
                break
            retired = [*retired, json.loads(match[0])] if match[3] == b"retire" else retired
            seq, head, count, offset = seq + 1, link, count + 1, offset + len(line)
        check(file.stat().st_size, file, 0, "is empty")
    for t in lost:
        check(t["reason"] == "disk", pathlib.Path(t["segment"]), 0, f"records {t['first']} to {t['last']} are gone: {t['cause']}")
    known = not count or start == (0, bytes(32)) or any(
        (r["last"], bytes.fromhex(r["head"])) == start or files[0].name in r["segments"] for r in retired)
    check(known, files and files[0], 1, f"records 1 to {count and start[0]} are missing")
    print(f"{count} records in {len(files)} files hold; the last has the hash {head.hex()}")

try:
    verify(sorted(f for f in pathlib.Path(sys.argv[1]).iterdir() if re.fullmatch(r"audit-\d{16}\.jsonl", f.name)))
except (ValueError, KeyError, TypeError) as error:  # what should be a record says something else
    sys.exit(print(f"a record was changed: {error!r}") or 1)
