#!/usr/bin/env python3
"""What the tls probe says of real servers, against what their configuration means.

  rig.py TENKEN [real|hostile|starttls]...

Each server listens on loopback and ends with this script. The truth is taken from the server's
configuration as `openssl ciphers` or `gnutls-cli -l` expands it, never from a scan. A server whose
program is not installed is said to be left out; if all are, that is a failure.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # nothing is left behind in the source tree

import hostile
import truth

VERSIONS = ["SSLv2", "SSLv3", "TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"]


class Rig:
    def __init__(self, tenken):
        self.tenken = tenken
        self.dir = tempfile.mkdtemp(prefix="tenken-tls-")
        os.chmod(self.dir, 0o755)
        self.running = []
        self.cases = []
        self.left_out = []
        for kind, args in (("rsa", ["rsa:2048"]),
                           ("ec", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])):
            subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-newkey", *args,
                            "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                            self.path(kind + ".key"), "-out", self.path(kind + ".pem")],
                           check=True, capture_output=True)
        with open(self.path("ffdhe2048.pem"), "w") as out:
            subprocess.run(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt",
                            "group:ffdhe2048"], check=True, stdout=out)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as out:
            out.write(text)
        return self.path(name)

    @staticmethod
    def port():
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def start(self, argv):
        if shutil.which(argv[0], path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            return False
        env = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        log = open(self.path("log-%d" % len(self.running)), "w")
        self.running.append(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log,
                                             cwd=self.dir, env=env, start_new_session=True))
        return True

    def case(self, name, port, want, **more):
        """want: {version: set of suites} or {version: state}; not named = refused."""
        self.cases.append(dict(name=name, port=port, want=want, **more))

    def server(self, name, argv, port, want, **more):
        if self.start(argv):
            self.case(name, port, want, **more)
        else:
            self.left_out.append(name + " (no " + argv[0] + ")")

    def wait(self, port, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                time.sleep(0.05)
        return False

    def site(self):
        lines = ["tls_endpoints:"]
        for c in self.cases:
            extra = "".join(", %s: %s" % (k, c[k]) for k in ("sni", "starttls", "ca_file") if k in c)
            lines.append("  - {name: %s, host: %s, port: %d, owner: self%s}"
                         % (c["name"], c.get("host", "127.0.0.1"), c["port"], extra))
        path = self.write("site.yaml", "\n".join(lines) + "\n")
        os.chmod(path, 0o644)
        return path

    def query(self, sql):
        p = subprocess.run([self.tenken, "query", "--site", self.site(), "--format", "json", sql],
                           capture_output=True, text=True)
        if p.returncode not in (0, 3):
            raise SystemExit("query: exit %d: %s" % (p.returncode, p.stderr))
        return json.loads(p.stdout), p.stderr

    def stop(self):
        for p in self.running:
            try:
                os.killpg(p.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        for p in self.running:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
                p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


SQL = """SELECT 'e' AS kind, endpoint, state AS a, detail AS b FROM tls_endpoints
UNION ALL SELECT 'v', endpoint, version, state || ' ' || reason FROM tls_versions
UNION ALL SELECT 's', endpoint, version, suite FROM tls_suites
UNION ALL SELECT 'g', endpoint, version, grp FROM tls_groups
UNION ALL SELECT 'c', endpoint, chain, name_ok || ' ' || coalesce(chain_ok, 'NULL') || ' ' || chain_error
 FROM tls_certificates WHERE depth = 0"""


def compare(case, rows):
    """Texts of all that differs."""
    wrong = []
    mine = [r for r in rows if r["endpoint"] == case["name"]]
    states = {r["a"]: r["b"].split(" ")[0] for r in mine if r["kind"] == "v"}
    endpoint = [r for r in mine if r["kind"] == "e"]
    if len(endpoint) != 1 or len(states) != 6:
        return ["rows: %d endpoint, %d versions" % (len(endpoint), len(states))]
    if endpoint[0]["a"] not in case.get("state", "tls").split("|"):
        wrong.append("state %s, wanted %s" % (endpoint[0]["a"], case.get("state", "tls")))
    for version in VERSIONS:
        want = case["want"].get(version, case.get("otherwise", "refused"))
        state = want if isinstance(want, str) else "accepted"
        if states[version] not in state.split("|"):
            wrong.append("%s: %s, wanted %s" % (version, states[version], state))
        if isinstance(want, str):
            continue
        seen = {r["b"] for r in mine if r["kind"] == "s" and r["a"] == version}
        if seen != want:
            wrong.append("%s: missed %s, too many %s" % (version, sorted(want - seen),
                                                         sorted(seen - want)))
    for version, want in case.get("groups", {}).items():
        seen = {r["b"] for r in mine if r["kind"] == "g" and r["a"] == version}
        if seen != want:
            wrong.append("%s groups: %s, wanted %s" % (version, sorted(seen), sorted(want)))
    if "chains" in case:
        seen = {r["a"]: r["b"] for r in mine if r["kind"] == "c"}
        if seen != case["chains"]:
            wrong.append("chains: %s, wanted %s" % (seen, case["chains"]))
    return wrong


def main():
    tenken = os.path.abspath(sys.argv[1])
    parts = sys.argv[2:] or ["real", "starttls", "hostile"]
    rig = Rig(tenken)
    bad = 0
    try:
        if "real" in parts:
            truth.servers(rig)
        if "starttls" in parts:
            hostile.starttls(rig)
        if "hostile" in parts:
            hostile.servers(rig)
        for c in list(rig.cases):
            if not c.get("no_wait") and not rig.wait(c["port"]):
                print("FAIL %s: it did not start" % c["name"])
                rig.cases.remove(c)
                bad += 1
        start = time.monotonic()
        rows, complaints = rig.query(SQL)
        took = time.monotonic() - start
        for c in rig.cases:
            wrong = compare(c, rows)
            for text in wrong:
                print("FAIL %s: %s" % (c["name"], text))
            bad += bool(wrong)
        for name in rig.left_out:
            print("left out: " + name)
        print("%d endpoints in %.1f s, %d wrong" % (len(rig.cases), took, bad))
        if not rig.cases:
            bad = 1
    finally:
        hostile.stop()
        rig.stop()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
