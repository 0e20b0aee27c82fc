"""Servers that do what servers should not, and those that talk before TLS."""
import os
import socket
import ssl
import struct
import threading
import time

from truth import FLAGS, SUITES_13, suites

listeners = []


def listen(handler, one_at_a_time=False, backlog=128):
    """A port on which handler(connection) runs for each client."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    s.listen(backlog)
    listeners.append(s)

    def run(c):
        try:
            c.settimeout(20)
            handler(c)
        except (OSError, ValueError):
            pass
        finally:
            try:
                c.close()
            except OSError:
                pass

    def loop():
        while True:
            try:
                c, _ = s.accept()
            except OSError:
                return
            if one_at_a_time:
                run(c)
            else:
                threading.Thread(target=run, args=(c,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return s.getsockname()[1]


def stop():
    for s in listeners:
        s.close()


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()


def read_hello(c):
    """The first record, header included; None if it is no TLS record."""
    data = b""
    while len(data) < 5:
        more = c.recv(65536)
        if not more:
            return None
        data += more
    if data[0] != 0x16:
        return None
    n = 5 + int.from_bytes(data[3:5], "big")
    while len(data) < n:
        more = c.recv(65536)
        if not more:
            return None
        data += more
    return data


def relay(c, port, first):
    """What was read goes on to a real server; then both ways until one ends."""
    try:
        up = socket.create_connection(("127.0.0.1", port), 5)
    except OSError:
        return
    up.sendall(first)

    def pump(a, b):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    t = threading.Thread(target=pump, args=(up, c), daemon=True)
    t.start()
    pump(c, up)
    t.join(10)
    up.close()


def openssl_behind(rig, *args):
    port = rig.port()
    rig.start(["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-quiet", "-key", "rsa.key",
               "-cert", "rsa.pem", *args])
    rig.wait(port)
    return port


def servers(rig):
    stop_event = threading.Event()

    def tar_pit(c):
        stop_event.wait(20)

    def never_reads(c):
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        stop_event.wait(20)

    def drip(c):
        c.recv(4096)
        for b in b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb" + b"\x03" * 200:
            c.sendall(bytes([b]))
            time.sleep(0.3)

    def flood(c):
        c.recv(4096)
        while True:
            c.sendall(b"\x16\x03\x03\x00\x01\x00" * 4000)

    def big_flood(c):
        c.recv(4096)
        while True:
            c.sendall(b"\x15\x03\x03\x00\x02\x01\x5a" * 4000)

    def garbage(c):
        c.recv(4096)
        c.sendall(bytes(range(128, 256)) * 8)

    def http(c):
        c.recv(4096)
        c.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    def closer(c):
        c.recv(4096)

    def resetter(c):
        c.recv(4096)
        reset(c)

    def not_offered(c):
        """A ServerHello with a suite that nobody asked for."""
        if read_hello(c) is not None:
            body = b"\x03\x03" + b"\0" * 32 + b"\0" + b"\xfa\xfa" + b"\0"
            hs = b"\x02" + len(body).to_bytes(3, "big") + body
            c.sendall(b"\x16\x03\x03" + len(hs).to_bytes(2, "big") + hs)

    def alerts_only(c):
        c.recv(4096)
        c.sendall(b"\x15\x03\x01\x00\x02\x02\x28")

    untested = dict(otherwise="untested")
    for name, handler, state in (
            ("tar-pit", tar_pit, "timeout"), ("never-reads", never_reads, "timeout"),
            ("drip", drip, "timeout"), ("flood", flood, "timeout|reset"),
            ("warning-flood", big_flood, "timeout"), ("garbage", garbage, "not-tls"),
            ("plain-http", http, "not-tls"), ("closer", closer, "reset"),
            ("resetter", resetter, "reset"), ("alerts-only", alerts_only, "tls"),
            ("not-offered", not_offered, "tls")):
        rig.case(name, listen(handler), {}, state=state, no_wait=True, **untested)
    closed = rig.port()
    rig.case("closed-port", closed, {}, state="refused", no_wait=True, **untested)

    behind = openssl_behind(rig, "-cipher", "ECDHE+AESGCM:AES128-SHA")
    small = {"TLS1.2": suites("TLS1.2", "ECDHE+AESGCM:AES128-SHA"), "TLS1.3": SUITES_13}

    def fragile(c):
        """Resets on hellos above 300 bytes."""
        hello = read_hello(c)
        if hello is not None and len(hello) > 300:
            reset(c)
        elif hello is not None:
            relay(c, behind, hello)

    def hangs_between(c):
        hello = read_hello(c)
        if hello is not None and 256 <= len(hello) - 5 <= 511:
            stop_event.wait(15)
        elif hello is not None:
            relay(c, behind, hello)

    def hangs_on_long(c):
        hello = read_hello(c)
        if hello is not None and len(hello) - 5 >= 512:
            stop_event.wait(15)
        elif hello is not None:
            relay(c, behind, hello)

    def iterative(c):
        hello = read_hello(c)
        if hello is not None:
            relay(c, behind, hello)

    times = []
    lock = threading.Lock()

    def limited(c):
        """No more than 20 connections a second."""
        now = time.monotonic()
        with lock:
            times[:] = [t for t in times if now - t < 1]
            full = len(times) >= 20
            if not full:
                times.append(now)
        if full:
            reset(c)
            return
        hello = read_hello(c)
        if hello is not None:
            relay(c, behind, hello)

    def ssl2(c):
        data = c.recv(4096)
        if data[:1] == b"\x80" and data[2:5] == b"\x01\x00\x02":
            kinds = b"\x01\x00\x80\x07\x00\xc0"
            body = b"\x04\x00\x01\x00\x02\x00\x03" + len(kinds).to_bytes(2, "big") + b"\x00\x10" + \
                b"abc" + kinds + b"\x11" * 16
            c.sendall((0x8000 | len(body)).to_bytes(2, "big") + body)
        elif data[:1] == b"\x16":
            relay(c, behind, data)

    kinds = {"SSL_CK_RC4_128_WITH_MD5", "SSL_CK_DES_192_EDE3_CBC_WITH_MD5"}
    # A proxy that reads the hello itself closes without a word on SSLv2's: that is a no in the end.
    rig.case("fragile", listen(fragile), small)
    rig.case("hangs-256-511", listen(hangs_between), small)
    rig.case("hangs-512", listen(hangs_on_long), small)
    rig.case("iterative", listen(iterative, one_at_a_time=True), small)
    # Whatever was reset for being too fast may stay untested, but never be wrong.
    rig.case("limited", listen(limited), {"SSLv2": "refused|untested", "SSLv3": "refused|untested",
                                          "TLS1.0": "refused|untested", "TLS1.1": "refused|untested",
                                          **small})
    rig.case("ssl2", listen(ssl2), {"SSLv2": kinds, **small})


def lines(c):
    return c.makefile("rb")


def talk_smtp(c):
    c.sendall(b"220-tenken\r\n220 test ESMTP\r\n")
    f = lines(c)
    f.readline()
    c.sendall(b"250-test\r\n250-SIZE 1\r\n250 STARTTLS\r\n")
    if f.readline().strip().upper() == b"STARTTLS":
        c.sendall(b"220 go\r\n")
        return True
    return False


def talk_smtp_without(c):
    c.sendall(b"220 test ESMTP\r\n")
    f = lines(c)
    f.readline()
    c.sendall(b"250 test\r\n")
    f.readline()
    c.sendall(b"502 no\r\n")
    return False


def talk_imap(c):
    c.sendall(b"* OK ready\r\n")
    tag = lines(c).readline().split(b" ")[0]
    c.sendall(b"* CAPABILITY IMAP4\r\n" + tag + b" OK begin\r\n")
    return True


def talk_pop3(c):
    c.sendall(b"+OK ready\r\n")
    lines(c).readline()
    c.sendall(b"+OK begin\r\n")
    return True


def talk_ftp(c):
    c.sendall(b"220 ready\r\n")
    ok = lines(c).readline().strip() == b"AUTH TLS"
    c.sendall(b"234 go\r\n" if ok else b"500 no\r\n")
    return ok


def talk_ldap(c):
    ok = b"1.3.6.1.4.1.1466.20037" in c.recv(4096)
    c.sendall(b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")
    return ok


def talk_postgresql(c):
    ok = c.recv(8) == b"\0\0\0\x08\x04\xd2\x16\x2f"
    c.sendall(b"S" if ok else b"N")
    return ok


def talk_mysql(c):
    body = b"\x0a8.0.1\0" + b"\1\0\0\0" + b"12345678" + b"\0" + b"\xff\xff" + b"\x21\2\0\xff\xff" + \
        b"\x15" + b"\0" * 10 + b"123456789012\0" + b"caching_sha2_password\0"
    c.sendall(len(body).to_bytes(3, "little") + b"\0" + body)
    head = c.recv(36)
    return len(head) == 36 and head[3] == 1 and head[5] & 8 != 0


def talk_xmpp(c):
    c.recv(4096)
    c.sendall(b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' from='x' id='1' "
              b"xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:features>"
              b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
              b"</stream:features>")
    c.recv(4096)
    c.sendall(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    return True


def starttls(rig):
    behind = openssl_behind(rig, "-cipher", "ECDHE+AESGCM:AES128-SHA", "-tls1_2")
    want = {"TLS1.2": suites("TLS1.2", "ECDHE+AESGCM:AES128-SHA")}

    def serve(talk):
        def handler(c):
            if talk(c):
                data = c.recv(65536)
                if data:
                    relay(c, behind, data)
        return handler

    for word, talk in (("smtp", talk_smtp), ("imap", talk_imap), ("pop3", talk_pop3),
                       ("ftp", talk_ftp), ("ldap", talk_ldap), ("postgresql", talk_postgresql),
                       ("mysql", talk_mysql), ("xmpp", talk_xmpp)):
        rig.case("starttls-" + word, listen(serve(talk)), want, starttls=word)
    rig.case("smtp-without", listen(serve(talk_smtp_without)), {}, starttls="smtp", state="not-tls",
             otherwise="untested")
    rig.case("not-smtp", listen(serve(talk_imap)), {}, starttls="smtp", state="not-tls",
             otherwise="untested")
