"""Verifies the hashes, links and Ed25519 signatures of an audit trail, from its documented format (audit-reference.md).
Usage: python3 verify-audit.py [KEY...] < audit.log. If keys are given, they must have signed all checkpoints.
Exit codes: 0 intact, 1 tampered, 2 undecidable."""
import base64, hashlib, json, re, sys
# Ed25519, RFC 8032 section 5.1. Points are (X, Y, Z, T).
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    return (d - c) * (b - a) % P, (d + c) * (b + a) % P, (d - c) * (d + c) % P, (b - a) * (b + a) % P
def times(n, p):
    return (0, 1, 1, 0) if n == 0 else add(p, times(n - 1, p)) if n % 2 else times(n // 2, add(p, p))
def point(data):
    sign, y = divmod(int.from_bytes(data, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = next(r for i in (1, pow(2, (P - 1) // 4, P)) if (r := i * pow(square, (P + 3) // 8, P) % P) ** 2 % P == square)
    return (x := x if x % 2 == sign else P - x), y, 1, x * y % P
BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
def signed(text, signature, key):
    key, r, s = base64.b64decode(key)[-32:], base64.b64decode(signature)[:32], base64.b64decode(signature)[32:]
    k = int.from_bytes(hashlib.sha512(r + key + text.encode()).digest(), "little") % L
    p, q = times(int.from_bytes(s, "little"), BASE), add(point(r), times(k, point(key)))
    return len(s) == 32 and (p[0] * q[2] - q[0] * p[2]) % P == (p[1] * q[2] - q[1] * p[2]) % P == 0

# Group 1: "chain" and its value; the hashed text ends with it. Groups 2 to 5: writer, seq, prev and hash.
ENTRY = re.compile(r'("chain":{"writer":"([^"]*)","seq":(\d+),"prev":"([0-9a-f]{64})"}),"hash":"([0-9a-f]{64})"}$')
trusted, keys, unreadable = set(sys.argv[1:]), set(), 0
# By writer: last (seq, hash), seq of the last checkpoint, progress of the shutdown, first seq if it is not 1. Hashes by (writer, seq).
heads, anchored, shutdown, begins_at, hashes = {}, {}, {}, {}, {}
def tampered(writer, seq): sys.exit(f"TAMPERED: writer {writer}, seq {seq}")
for raw in sys.stdin.buffer:
    line = raw[max(raw.find(b'{"timestamp":"'), 0):].strip().decode("latin-1")
    if not (found := ENTRY.search(line, max(0, len(line) - 9000))):  # an entry has at most 8 KiB
        unreadable += '"chain":' in line
        continue
    writer, seq, prev, claimed = found[2], int(found[3]), found[4], found[5]
    last, head = heads.get(writer, (0, "0" * 64))
    if hashlib.sha256((line[:found.end(1)] + "}").encode("latin-1")).hexdigest() != claimed: tampered(writer, seq)
    if hashes.get((writer, seq)) == claimed: continue  # an identical repeated entry
    if last == 0 and seq > 1: begins_at[writer], last, head = seq, seq - 1, prev
    if (seq, prev) != (last + 1, head): tampered(writer, min(seq, last + 1) if seq > last else seq)
    entry = json.loads(line)
    if shutdown.get(writer) == "ended": tampered(writer, seq)
    if entry["action"] == "audit.checkpoint":
        meta = entry["metadata"]
        if trusted and meta["publicKey"] not in trusted or not signed(f"{writer}:{seq}:{prev}", meta["signature"], meta["publicKey"]):
            tampered(writer, seq)
        anchored[writer], shutdown[writer] = seq, "ended" if shutdown.get(writer) == "stopped" else ""
        keys.add(meta["publicKey"])
    else: shutdown[writer] = "stopped" if entry["action"] == "server.stopped" else ""
    heads[writer], hashes[writer, seq] = (seq, claimed), claimed
for writer, (seq, head) in heads.items():
    print(f"{writer}: intact from seq {begins_at.get(writer, 1)} to {seq}, anchored to seq {anchored.get(writer, 0)}, head {head}")
print(*keys, sep="\n")
doubts = [f"{unreadable} lines cannot be read"] * (unreadable > 0) + ["there is no entry"] * (not heads)
doubts += [f"nothing of writer {w} is signed" for w in heads if w not in anchored] + [f"writer {w} begins at seq {n}" for w, n in begins_at.items()]
print(*(f"undecidable: {doubt}" for doubt in doubts), sep="\n", end="\n" * bool(doubts), file=sys.stderr)
sys.exit(2 if doubts else 0)
