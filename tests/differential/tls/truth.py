"""Real servers, each with the suites that its configuration means."""
import os
import re
import subprocess

FLAGS = {"TLS1.0": "-tls1", "TLS1.1": "-tls1_1", "TLS1.2": "-tls1_2"}
MOZ_INTERMEDIATE = ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305")
SUITES_13 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}


def suites(version, string, keys=("RSA",), dhe=True):
    """What `openssl ciphers` makes of the string, as far as the server's keys can serve it."""
    out = subprocess.run(["openssl", "ciphers", "-v", "-stdname", "-s", FLAGS[version], string],
                         check=True, capture_output=True, text=True).stdout
    found = set()
    for line in out.splitlines():
        name = line.split()[0]
        if version != "TLS1.2" and ("SHA256" in name or "SHA384" in name) and "PSK" not in name:
            continue
        au = re.search(r"Au=(\S+)", line).group(1)
        kx = re.search(r"Kx=(\S+)", line).group(1)
        if name.startswith("TLS_AES") or name == "TLS_CHACHA20_POLY1305_SHA256":
            continue
        if au not in keys and au != "None":
            continue
        if not dhe and kx.startswith("DH"):
            continue
        found.add(name)
    return found


def openssl_servers(rig):
    def one(name, want, *args, **more):
        port = rig.port()
        rig.server(name, ["openssl", "s_server", "-accept", "127.0.0.1:%d" % port, "-quiet", *args],
                   port, want, **more)

    rsa = ["-key", "rsa.key", "-cert", "rsa.pem"]
    ec = ["-key", "ec.key", "-cert", "ec.pem"]
    old = "ALL:@SECLEVEL=0"
    one("openssl-default", {"TLS1.2": suites("TLS1.2", "DEFAULT"), "TLS1.3": SUITES_13}, *rsa,
        ca_file=rig.path("rsa.pem"), sni="localhost", chains={"rsa": "1 1 "})
    one("openssl-all", {v: suites(v, old) for v in FLAGS} | {"TLS1.3": SUITES_13}, *rsa,
        "-cipher", old, chains={"rsa": "1 0 self-signed: at depth 0"})
    one("openssl-13-only", {"TLS1.3": SUITES_13}, *ec, "-tls1_3", ca_file=rig.path("ec.pem"),
        sni="localhost", chains={"ec": "1 1 "})
    one("openssl-13-one-suite", {"TLS1.3": {"TLS_AES_256_GCM_SHA384"}}, *rsa, "-tls1_3",
        "-ciphersuites", "TLS_AES_256_GCM_SHA384", "-groups", "P-384",
        groups={"TLS1.3": {"secp384r1"}}, sni="other.invalid", ca_file=rig.path("rsa.pem"),
        chains={"rsa": "0 1 "})
    one("openssl-10-only", {"TLS1.0": suites("TLS1.0", old)}, *rsa, "-tls1", "-cipher", old)
    one("openssl-11-ec", {"TLS1.1": suites("TLS1.1", old, ("ECDSA",))}, *ec, "-tls1_1", "-cipher",
        old)
    one("openssl-two-keys", {"TLS1.2": suites("TLS1.2", "DEFAULT", ("RSA", "ECDSA")),
                             "TLS1.3": SUITES_13}, *rsa, "-dkey", "ec.key", "-dcert", "ec.pem",
        ca_file=rig.path("rsa.pem"), sni="localhost",
        chains={"rsa": "1 1 ", "ec": "1 0 self-signed: at depth 0"})
    one("openssl-one-group", {"TLS1.2": suites("TLS1.2", "ECDHE")}, *rsa, "-tls1_2", "-cipher",
        "ECDHE", "-groups", "P-256", groups={"TLS1.2": {"secp256r1"}})
    one("openssl-ec-groups", {"TLS1.2": suites("TLS1.2", "ECDHE", ("ECDSA",))}, *ec, "-tls1_2",
        "-cipher", "ECDHE", "-groups", "P-256:P-384", groups={"TLS1.2": {"secp256r1", "secp384r1"}})
    one("openssl-anonymous", {"TLS1.2": suites("TLS1.2", "aNULL:@SECLEVEL=0")}, "-nocert",
        "-tls1_2", "-cipher", "aNULL:@SECLEVEL=0", chains={})
    one("openssl-null", {"TLS1.2": suites("TLS1.2", "eNULL:@SECLEVEL=0")}, *rsa, "-tls1_2",
        "-cipher", "eNULL:@SECLEVEL=0")
    one("openssl-server-order", {"TLS1.2": suites("TLS1.2", MOZ_INTERMEDIATE),
                                 "TLS1.3": SUITES_13}, *rsa, "-cipher", MOZ_INTERMEDIATE,
        "-serverpref")


def nginx(rig):
    port = {n: rig.port() for n in ("stock", "intermediate", "modern", "old", "named")}
    conf = """daemon off; master_process off; pid %s; error_log stderr;
events { worker_connections 512; }
http { access_log off; client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s;
 uwsgi_temp_path %s; scgi_temp_path %s;
 ssl_certificate %s; ssl_certificate_key %s;
""" % (rig.path("nginx.pid"), *[rig.path("t%d" % i) for i in range(5)], rig.path("rsa.pem"),
       rig.path("rsa.key"))
    blocks = {
        "stock": "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;",
        "intermediate": "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers %s;" % MOZ_INTERMEDIATE,
        "modern": "ssl_protocols TLSv1.3;",
        "old": "ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0; "
               "ssl_prefer_server_ciphers on; ssl_dhparam %s;" % rig.path("ffdhe2048.pem"),
    }
    for name, text in blocks.items():
        conf += "server { listen 127.0.0.1:%d ssl; server_name localhost; %s }\n" % (port[name], text)
    conf += """server { listen 127.0.0.1:%d ssl default_server; ssl_reject_handshake on; }
server { listen 127.0.0.1:%d ssl; server_name localhost; ssl_protocols TLSv1.2; }
}
""" % (port["named"], port["named"])
    path = rig.write("nginx.conf", conf)
    high = suites("TLS1.2", "HIGH:!aNULL:!MD5", dhe=False)
    old = {v: suites(v, "ALL:@SECLEVEL=0") for v in FLAGS}
    wants = {"stock": {"TLS1.2": high, "TLS1.3": SUITES_13},
             "intermediate": {"TLS1.2": suites("TLS1.2", MOZ_INTERMEDIATE), "TLS1.3": SUITES_13},
             "modern": {"TLS1.3": SUITES_13}, "old": old, "named": {"TLS1.2": high}}
    if not rig.start(["nginx", "-c", path, "-p", rig.dir, "-e", "stderr"]):
        rig.left_out.append("nginx (5)")
        return
    for name, want in wants.items():
        more = {"groups": {"TLS1.2": {"x25519", "secp256r1", "secp384r1", "secp521r1", "x448",
                                      "ffdhe2048"}}} if name == "old" else {}
        rig.case("nginx-" + name, port[name], want, sni="localhost", **more)
    # Another name than the one it serves: nothing is known of its versions.
    rig.case("nginx-other-name", port["named"], {}, sni="other.invalid", otherwise="untested")


def apache(rig):
    port = {n: rig.port() for n in ("stock", "tls12")}
    modules = "/usr/lib/apache2/modules"
    if not os.path.isdir(modules):
        rig.left_out.append("apache2 (2)")
        return
    conf = "ServerRoot %s\nPidFile %s\nErrorLog %s\nServerName localhost\nMutex posixsem\n" % (
        rig.dir, rig.path("apache.pid"), rig.path("apache.log"))
    for m in ("mpm_event", "ssl", "authz_core", "socache_shmcb"):
        conf += "LoadModule %s_module %s/mod_%s.so\n" % (m, modules, m)
    if os.getuid() == 0:
        conf += "User nobody\nGroup nogroup\n"
    for name, text in (("stock", "SSLProtocol all -SSLv3\nSSLCipherSuite HIGH:!aNULL"),
                       ("tls12", "SSLProtocol TLSv1.2\nSSLHonorCipherOrder on\n"
                                 "SSLCipherSuite ECDHE+AESGCM:AES256-SHA")):
        conf += """Listen 127.0.0.1:%d
<VirtualHost 127.0.0.1:%d>
SSLEngine on
SSLCertificateFile %s
SSLCertificateKeyFile %s
%s
</VirtualHost>
""" % (port[name], port[name], rig.path("rsa.pem"), rig.path("rsa.key"), text)
    path = rig.write("apache.conf", conf)
    if not rig.start(["apache2", "-X", "-f", path]):
        rig.left_out.append("apache2 (2)")
        return
    rig.case("apache-stock", port["stock"], {"TLS1.2": suites("TLS1.2", "HIGH:!aNULL"),
                                             "TLS1.3": SUITES_13})
    rig.case("apache-tls12", port["tls12"], {"TLS1.2": suites("TLS1.2", "ECDHE+AESGCM:AES256-SHA")})


def haproxy_and_stunnel(rig):
    both = rig.path("both.pem")
    with open(both, "w") as out:
        for part in ("rsa.pem", "rsa.key"):
            with open(rig.path(part)) as text:
                out.write(text.read())
    port = {n: rig.port() for n in ("new", "old", "strict", "stunnel")}
    binds = {"new": "ssl-min-ver TLSv1.2 ciphers " + MOZ_INTERMEDIATE,
             "old": "ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.2 ciphers AES128-SHA:AES256-SHA:@SECLEVEL=0",
             "strict": "ssl-min-ver TLSv1.3 strict-sni"}
    conf = "global\n tune.ssl.default-dh-param 2048\n maxconn 500\ndefaults\n mode http\n" \
           " timeout client 5s\n timeout server 5s\n timeout connect 5s\n"
    for name, text in binds.items():
        conf += "frontend %s\n bind 127.0.0.1:%d ssl crt %s %s\n" % (name, port[name], both, text)
    path = rig.write("haproxy.cfg", conf)
    two = {"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"}
    if rig.start(["haproxy", "-db", "-f", path]):
        rig.case("haproxy-new", port["new"], {"TLS1.2": suites("TLS1.2", MOZ_INTERMEDIATE),
                                              "TLS1.3": SUITES_13})
        rig.case("haproxy-old", port["old"], {v: two for v in FLAGS})
        rig.case("haproxy-strict", port["strict"], {"TLS1.3": SUITES_13}, sni="localhost")
    else:
        rig.left_out.append("haproxy (3)")
    path = rig.write("stunnel.conf", """foreground = yes
pid =
syslog = no
[one]
accept = 127.0.0.1:%d
connect = 127.0.0.1:9
cert = %s
sslVersionMin = TLSv1.2
sslVersionMax = TLSv1.2
ciphers = ECDHE+AESGCM
""" % (port["stunnel"], both))
    rig.server("stunnel", ["stunnel4", path], port["stunnel"],
               {"TLS1.2": suites("TLS1.2", "ECDHE+AESGCM")})


def gnutls_suites(priority):
    """{version: suites} of a priority string, for a server with an RSA key."""
    out = subprocess.run(["gnutls-cli", "--priority", priority, "-l"], capture_output=True,
                         text=True).stdout
    by_code = {}
    source = os.path.join(os.path.dirname(__file__), "../../../probes/tls/suites.def")
    with open(source) as lines:
        for line in lines:
            m = re.match(r'SUITE\(0x(\w\w)(\w\w), "(\w+)", (\w+)\)', line)
            if m:
                by_code[int(m.group(1) + m.group(2), 16)] = (m.group(3), m.group(4) == "true")
    found = {}
    order = ["SSL3.0", "TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"]
    protocols = re.search(r"Protocols: (.*)", out)
    protocols = [p.strip().replace("VERS-", "") for p in protocols.group(1).split(",")]
    protocols = [p for p in protocols if p in order]
    for line in out.splitlines():
        m = re.search(r"0x([0-9a-f]{2}), 0x([0-9a-f]{2})\s+(\S+)", line)
        if m is None:
            continue
        name, is_13 = by_code[int(m.group(1) + m.group(2), 16)]
        if not is_13 and not re.match(r"TLS_(RSA|DHE_RSA|ECDHE_RSA|DH_anon|ECDH_anon)_", name):
            continue
        for version in protocols:
            if (version == "TLS1.3") == is_13 and order.index(version) >= order.index(m.group(3)):
                found.setdefault(version, set()).add(name)
    return found


def gnutls(rig):
    for name, priority in (("normal", "NORMAL"),
                           ("old", "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1:+ARCFOUR-128:+3DES-CBC:+MD5")):
        port = rig.port()
        want = gnutls_suites(priority)
        rig.server("gnutls-" + name, ["gnutls-serv", "--priority", priority, "--x509certfile",
                                      rig.path("rsa.pem"), "--x509keyfile", rig.path("rsa.key"),
                                      "-p", str(port), "--echo", "-q"], port, want)


def servers(rig):
    openssl_servers(rig)
    nginx(rig)
    apache(rig)
    haproxy_and_stunnel(rig)
    gnutls(rig)
