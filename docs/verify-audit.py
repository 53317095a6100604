"""Checks an audit trail (lines on standard input) from its documented format alone: hashes, links, Ed25519 signatures."""
import base64, hashlib, json, re, sys
# Ed25519 as in RFC 8032, section 5.1: points are (X, Y, Z, T).
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

ENTRY = re.compile(r'("chain":{"writer":"([^"]*)","seq":(\d+),"prev":"([0-9a-f]{64})"}),"hash":"([0-9a-f]{64})"}$')
heads, anchored, keys, broken = {}, {}, set(), []
for raw in sys.stdin:
    line = raw[max(raw.find('{"timestamp":"'), 0):].strip()
    if not (found := ENTRY.search(line)): broken += [line] if '"chain":' in line else []; continue
    writer, seq, prev, claimed = found[2], int(found[3]), found[4], found[5]
    hashed = hashlib.sha256((line[:found.end(1)] + "}").encode()).hexdigest()
    good = hashed == claimed and heads.get(writer, (0, "0" * 64)) == (seq - 1, prev)
    entry = json.loads(line) if good else {"action": ""}
    meta = entry["metadata"] if entry["action"] == "audit.checkpoint" else {}
    if not good or (meta and not signed(f"{writer}:{seq}:{prev}", meta["signature"], meta["publicKey"])):
        sys.exit(f"TAMPERED: writer {writer}, seq {seq}")
    heads[writer], anchored[writer] = (seq, claimed), seq if meta else anchored.get(writer, 0)
    keys |= {meta["publicKey"]} if meta else set()
print(*(f"{w}: intact to seq {n}, anchored to seq {anchored[w]}, head {h}" for w, (n, h) in heads.items()), *keys, sep="\n")
sys.exit(2 if broken and not print(f"{len(broken)} lines cannot be read", file=sys.stderr) or not heads else 0)
