"""TLS and passwords of the listener, asked by curl and openssl; and the file that turns them on."""

import os
import re
import subprocess
import threading

import pytest

from guarded import CLI, DAEMON, PORT, Daemon, run

URL = f"https://127.0.0.1:{PORT}/metrics"
PLAIN = f"http://127.0.0.1:{PORT}/metrics"


class Files:
    """Certificates of an authority of our own, and the file that names them."""

    def __init__(self, path):
        self.path = path
        self.sign("ca", "-x509", "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE")
        self.leaf("server", "subjectAltName=IP:127.0.0.1")
        self.leaf("client", "extendedKeyUsage=clientAuth")

    def openssl(self, *argv):
        run("openssl", *argv, cwd=self.path)

    def sign(self, name, *argv):
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key",
                     "-out", f"{name}.pem" if "-x509" in argv else f"{name}.csr", "-subj", f"/CN={name}", *argv)

    def leaf(self, name, extension, issued=None):
        """Good for two days from now on, or from another day."""
        self.sign(name)
        (self.path / "extension").write_text(extension)
        when = ("faketime", issued) if issued else ()
        run(*when, "openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-out", f"{name}.pem", "-extfile", "extension", cwd=self.path)

    def web(self, text):
        path = self.path / "web.yaml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    def config(self, text):
        return f"metrics:\n  web-config: {self.web(text)}\n"


TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def curl(world, *argv):
    """(exit status, HTTP status, body)."""
    done = subprocess.run(world.inside.enter("curl", "-s", "-m", "60", "-w", "\n%{http_code}", *argv), capture_output=True, text=True)
    body, _, status = done.stdout.rpartition("\n")
    return done.returncode, int(status), body


def hashed(password):
    return run("htpasswd", "-nbBC", "5", "", password).stdout.strip().lstrip(":")


def test_tls_alone(world, files):
    Daemon(world, "--interface", "guarded", config=files.config(TLS)).ready()
    ca = ("--cacert", files.path / "ca.pem")
    assert curl(world, *ca, URL)[1] == 200
    assert curl(world, *ca, "--tlsv1.2", "--tls-max", "1.2", URL)[1] == 200
    assert curl(world, *ca, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", URL)[0] == 35  # no common version
    assert curl(world, URL)[0] == 60  # nobody vouches for the certificate
    assert curl(world, PLAIN)[1] != 200


def test_the_least_version_holds(world, files):
    Daemon(world, "--interface", "guarded", config=files.config(TLS + "  min_version: TLS13\n")).ready()
    ca = ("--cacert", files.path / "ca.pem")
    assert curl(world, *ca, URL)[1] == 200
    assert curl(world, *ca, "--tls-max", "1.2", URL)[0] == 35


def test_clients_show_certificates(world, files):
    text = TLS + "  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n"
    Daemon(world, "--interface", "guarded", config=files.config(text)).ready()
    ca = ("--cacert", files.path / "ca.pem")
    own = ("--cert", files.path / "client.pem", "--key", files.path / "client.key")
    assert curl(world, *ca, *own, URL)[1] == 200
    assert curl(world, *ca, URL)[1] in (0, 403)  # refused in the handshake, or behind it
    files.leaf("other", "extendedKeyUsage=serverAuth")  # of the same authority, for something else
    assert curl(world, *ca, "--cert", files.path / "other.pem", "--key", files.path / "other.key", URL)[1] in (0, 403)
    stranger = Files(files.path / "other") if not os.mkdir(files.path / "other") else None
    foreign = ("--cert", stranger.path / "client.pem", "--key", stranger.path / "client.key")
    assert curl(world, *ca, *foreign, URL)[1] in (0, 403)


def test_expired_certificates(world, files):
    """The server's own is served and complained of; a client's is as good as none."""
    files.leaf("old", "subjectAltName=IP:127.0.0.1", issued="2020-02-01 12:00:00")
    text = TLS + "  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n"
    daemon = Daemon(world, "--interface", "guarded", config=files.config(text.replace("server.", "old."))).ready()
    assert "expired on 2020-02-03: clients will refuse it" in daemon.log.until("certificate")
    ca, own = ("--cacert", files.path / "ca.pem"), ("--cert", files.path / "client.pem", "--key", files.path / "client.key")
    assert curl(world, *ca, *own, URL)[0] == 60
    files.web(text)
    daemon.kill(1)
    daemon.log.until("configuration applied")
    assert curl(world, *ca, *own, URL)[1] == 200
    assert curl(world, *ca, "--cert", files.path / "old.pem", "--key", files.path / "old.key", URL)[1] in (0, 403)


def test_passwords(world, files):
    text = f"basic_auth_users:\n  alice: {hashed('right')}\n  bob: {hashed('other')}\n"
    Daemon(world, "--interface", "guarded", config=files.config(text)).ready()
    for _ in range(2):  # checked, then remembered
        assert curl(world, "-u", "alice:right", PLAIN)[1] == 200
        assert curl(world, "-u", "bob:other", PLAIN)[1] == 200
        assert curl(world, "-u", "alice:wrong", PLAIN)[1] == 401
        assert curl(world, "-u", "alice:other", PLAIN)[1] == 401
        assert curl(world, "-u", "nobody:right", PLAIN)[1] == 401
        assert curl(world, PLAIN)[1] == 401
    head = run(*world.inside.enter("curl", "-si", PLAIN)).stdout
    assert 'WWW-Authenticate: Basic realm="dnsguard"' in head
    assert curl(world, "-u", "alice:right", f"http://127.0.0.1:{PORT}/api/now")[1] == 200


def test_guesses_do_not_shut_out_who_knows(world, files):
    """Many guessers at once: refused or told to wait, while the one whose password is remembered is always answered."""
    text = f"basic_auth_users:\n  alice: {run('htpasswd', '-nbBC', '10', '', 'right').stdout.strip().lstrip(':')}\n"
    Daemon(world, "--interface", "guarded", config=files.config(text)).ready()
    assert curl(world, "-u", "alice:right", PLAIN)[1] == 200
    seen = []

    def guess(number):
        for turn in range(5):
            seen.append(curl(world, "-u", f"alice:guess{number}-{turn}", PLAIN)[1])

    guessers = [threading.Thread(target=guess, args=(number,)) for number in range(8)]
    for one in guessers:
        one.start()
    known = [curl(world, "-u", "alice:right", PLAIN)[1] for _ in range(20)]
    for one in guessers:
        one.join()
    assert known == [200] * 20
    assert set(seen) <= {401, 503} and seen.count(401) > 0


def test_a_reload_brings_the_new_certificate(world, files):
    daemon = Daemon(world, "--interface", "guarded", config=files.config(TLS)).ready()

    def serial():
        shown = run(*world.inside.enter("openssl", "s_client", "-connect", f"127.0.0.1:{PORT}"), input="").stdout
        return run("openssl", "x509", "-noout", "-serial", input=shown).stdout

    before = serial()
    files.leaf("server", "subjectAltName=IP:127.0.0.1")
    assert serial() == before  # nothing is half taken
    daemon.kill(1)
    daemon.log.until("configuration applied")
    assert serial() != before
    assert curl(world, "--cacert", files.path / "ca.pem", URL)[1] == 200


def test_a_bad_reload_keeps_the_old_listener(world, files):
    daemon = Daemon(world, "--interface", "guarded", config=files.config(TLS)).ready()
    files.web("tls_server_config:\n  cert_file: gone.pem\n  key_file: server.key\n")
    daemon.kill(1)
    assert "gone.pem: cannot read" in daemon.log.until("refused, nothing changed")
    assert curl(world, "--cacert", files.path / "ca.pem", URL)[1] == 200


# content of the file, what is said of it
BAD = {
    "a typo": ("tls_server_confg: {}\n", 'web.yaml:1:1: "tls_server_confg" is not known here; tls_server_config'),
    "a key alone": ("tls_server_config:\n  key_file: server.key\n", "web.yaml:1:1: cert_file and key_file are both needed"),
    "old TLS": (TLS + "  min_version: TLS10\n", "web.yaml:4:16: write TLS12 or TLS13"),
    "a choice of ciphers": (TLS + "  cipher_suites: [x]\n", 'web.yaml:4:3: "cipher_suites" is not known here'),
    "a password as it is": ("basic_auth_users:\n  alice: secret\n", "web.yaml:2:10: a bcrypt hash is wanted here, never a password"),
    "a colon": ('basic_auth_users:\n  "a:b": x\n', "web.yaml:2:3: a user's name"),
    "one key twice": ("http_server_config: {}\nhttp_server_config: {}\n", "web.yaml:2:1: this key stands here twice"),
    "a header of ours": ("http_server_config:\n  headers:\n    Content-Security-Policy: x\n", "web.yaml:3:5: this header cannot be set"),
    "authority without duty": (TLS + "  client_ca_file: ca.pem\n", "client_ca_file and client_auth_type"),
    "no YAML": ("{\n", "web.yaml:2:1: not YAML"),
    "the wrong key": ("tls_server_config:\n  cert_file: server.pem\n  key_file: client.key\n", "client.key: this key does not fit its certificate, "),
    "an encrypted key": ("tls_server_config:\n  cert_file: server.pem\n  key_file: encrypted.key\n",
                         "encrypted.key: the key is encrypted, and nobody is there to type its passphrase"),
    "a certificate as key": ("tls_server_config:\n  cert_file: server.pem\n  key_file: wrong.key\n", "wrong.key: no key that can be read"),
    "a key as certificate": ("tls_server_config:\n  cert_file: server.key\n  key_file: server.key\n", "server.key: no certificate that can be read"),
    "a key as authority": (TLS + "  client_ca_file: server.key\n  client_auth_type: RequireAndVerifyClientCert\n",
                           "server.key: no certificate that can be read"),
    "no PEM": ("tls_server_config:\n  cert_file: web.yaml\n  key_file: server.key\n", "web.yaml: not in PEM form"),
}


@pytest.mark.parametrize("case", BAD)
def test_is_refused_with_its_place(world, files, case):
    text, sentence = BAD[case]
    files.openssl("pkcs8", "-topk8", "-in", "server.key", "-out", "encrypted.key", "-passout", "pass:secret")
    (files.path / "wrong.key").write_text((files.path / "server.pem").read_text())
    (files.path / "wrong.key").chmod(0o600)
    status, log = Daemon(world, "--interface", "guarded", config=files.config(text)).fails()
    assert status != 0 and sentence in log
    assert "secret" not in log


def test_secrets_that_everybody_reads_are_refused(world, files):
    config = files.config(TLS)
    (files.path / "server.key").chmod(0o604)
    assert "server.key: everybody may read this secret; run: chmod o=" in Daemon(world, config=config).fails()[1]
    (files.path / "server.key").chmod(0o600)
    (files.path / "web.yaml").chmod(0o644)
    assert "web.yaml: everybody may read this secret" in Daemon(world, config=config).fails()[1]


# ---- found before anybody connects or is told ---------------------------------------------------------


def checks(files, text):
    """Both ways to check a file: (exit statuses, what both said)."""
    path = files.path / "checked.yaml"
    path.write_text(text)
    done = [run(CLI, "config", "check", path, check=False), run(DAEMON, "--check-config", "--config", path, check=False)]
    assert len({one.returncode for one in done}) == 1, done
    said = {re.sub(r"^dnsguardd?: ((error|warning): )?", "", one.stderr).strip() for one in done}
    assert len(said) == 1, said
    return done[0].returncode, said.pop().replace(f"{files.path}/", "")


@pytest.mark.parametrize("spoil, says", [
    (lambda files: None, ""),
    (lambda files: (files.path / "server.pem").unlink(), "server.pem: cannot read: No such file or directory"),
    (lambda files: (files.path / "server.key").chmod(0o644), "server.key: everybody may read this secret"),
    (lambda files: (files.path / "server.pem").write_text("no certificate"), "server.pem: not in PEM form"),
    (lambda files: files.sign("server"), "server.key"),
    (lambda files: files.web(TLS + "tls: 1\n"), "web.yaml:4:1: "),
], ids=["good", "gone", "open", "no-pem", "another-key", "unknown-key"])
def test_a_check_looks_into_the_web_configuration(files, spoil, says):
    text = files.config(TLS)
    spoil(files)
    status, said = checks(files, text)
    assert (status, said) == (0, "") if not says else (status == 1 and says in said and said.startswith("checked.yaml:2:3: metrics.web-config: ")), said


def test_a_check_tells_of_an_expired_certificate(files):
    files.leaf("old", "subjectAltName=IP:127.0.0.1", issued="2020-02-01 12:00:00")
    status, said = checks(files, files.config(TLS.replace("server.", "old.")))
    assert status == 0 and said.startswith("the certificate of web.yaml expired on 2020-02-03: "), said


@pytest.mark.parametrize("key, value, says", [
    ("ca-file", "ca.pem", ""),
    ("ca-file", "none.pem", "none.pem: cannot read: No such file"),
    ("ca-file", "server.key", "server.key"),
    ("command", "[none]", "none: No such file"),
    ("command", "[ca.key]", "ca.key: nobody, as whom it runs, may not run it; run: chmod o+rx "),
])
def test_a_check_looks_at_what_alerts_need(files, key, value, says):
    place = value.replace("[", f"[{files.path}/") if value.startswith("[") else f"{files.path}/{value}"
    status, said = checks(files, f"alerts:\n  {key}: {place}\n")
    assert (status, said) == (0, "") if not says else (status == 1 and says in said and f"alerts.{key}: " in said), said
