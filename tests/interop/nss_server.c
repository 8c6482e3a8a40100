/*
 * NSS as a server with RFC 9345 and RFC 9849, and as an issuer of credentials.
 *
 *   nss_server version
 *   nss_server serve [--only-p384] [--ech PUBLIC_NAME] CHAIN.pem KEY.pem [CREDENTIAL.pem CREDENTIAL_KEY.pem]
 *   nss_server issue CHAIN.pem KEY.pem CREDENTIAL_PUBLIC_KEY.pem p256|p384 OUT.pem
 *
 * `serve` listens on a free port of 127.0.0.1, takes one connection after the other and says in one line
 * each how the handshake ended. NSS sends whatever credential it is given, unchecked: that makes it a good
 * judge of a client's strictness. With --only-p384 clients that begin with another group get a HelloRetryRequest. With
 * --ech it first says its ECHConfigList in hexadecimal digits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nspr.h>
#include <nss.h>
#include <cert.h>
#include <keyhi.h>
#include <nssb64.h>
#include <pk11pub.h>
#include <secerr.h>
#include <ssl.h>
#include <sslexp.h>
#include <sslproto.h>

#define MAX_CHAIN 8
#define MAX_WAITING 256
#define MAX_FILE (1 << 20)
#define ISSUED_FOR_SECONDS (24 * 3600)

static const char REPLY[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n"
                            "Connection: close\r\n\r\nnss\n";

struct identity {
    CERTCertificate *certificate; /* the end-entity certificate: der[0] */
    SECKEYPrivateKey *key;
    SECItem der[MAX_CHAIN];
    CERTCertificateList chain;
};

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "nss_server: %s %s: %s\n", what, name, PORT_ErrorToName(PORT_GetError()));
    exit(1);
}

static void usage(void)
{
    fprintf(stderr, "usage: nss_server version | serve [--only-p384] [--ech NAME] CHAIN KEY [CREDENTIAL CREDENTIAL_KEY] |"
                    " issue CHAIN KEY PUBLIC_KEY p256|p384 OUT\n");
    exit(2);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    char *text = malloc(MAX_FILE);
    size_t length = fread(text, 1, MAX_FILE - 1, file);
    text[length] = 0;
    fclose(file);
    return text;
}

/* Decodes the next PEM block with this label and moves *cursor behind it; 0 if there is none. */
static int next_pem(char **cursor, const char *label, SECItem *der)
{
    char begin[80], end[80];
    snprintf(begin, sizeof begin, "-----BEGIN %s-----", label);
    snprintf(end, sizeof end, "-----END %s-----", label);
    char *start = strstr(*cursor, begin);
    if (!start) return 0;
    start += strlen(begin);
    char *stop = strstr(start, end);
    if (!stop) return 0;
    *cursor = stop + strlen(end);
    memset(der, 0, sizeof *der);
    return NSSBase64_DecodeBuffer(NULL, der, start, stop - start) != NULL;
}

static SECItem one_pem(const char *path, const char *label)
{
    SECItem der;
    char *cursor = read_file(path);
    if (!next_pem(&cursor, label, &der)) {
        fprintf(stderr, "nss_server: %s holds no PEM block '%s'\n", path, label);
        exit(1);
    }
    return der;
}

static SECKEYPrivateKey *load_key(const char *path)
{
    SECItem der = one_pem(path, "PRIVATE KEY");
    SECKEYPrivateKey *key = NULL;
    if (PK11_ImportDERPrivateKeyInfoAndReturnKey(PK11_GetInternalSlot(), &der, NULL, NULL, PR_FALSE,
                                                 PR_FALSE, KU_ALL, &key, NULL) != SECSuccess)
        fail("cannot import the key", path);
    return key;
}

static void load_identity(struct identity *identity, const char *chain_path, const char *key_path)
{
    char *cursor = read_file(chain_path);
    int count = 0;
    while (count < MAX_CHAIN && next_pem(&cursor, "CERTIFICATE", &identity->der[count])) count++;
    if (count == 0) fail("no certificate in", chain_path);
    identity->chain = (CERTCertificateList){ identity->der, count, NULL };
    /* NSS finds the intermediates by itself once they are temporary certificates of its database. */
    for (int i = count - 1; i >= 0; i--) {
        identity->certificate = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &identity->der[i], NULL,
                                                        PR_FALSE, PR_TRUE);
        if (!identity->certificate) fail("cannot read a certificate of", chain_path);
    }
    identity->key = load_key(key_path);
}

/* Makes a key for Encrypted ClientHello and says the ECHConfigList that goes with it. */
static void configure_ech(PRFileDesc *socket, const char *public_name)
{
    static const HpkeSymmetricSuite suite = { HpkeKdfHkdfSha256, HpkeAeadAes128Gcm };
    const SECOidData *curve = SECOID_FindOIDByTag(SEC_OID_CURVE25519);
    PRUint8 list[1000], oid[64] = { SEC_ASN1_OBJECT_ID, curve->oid.len };
    SECItem parameters = { siBuffer, oid, 2 + curve->oid.len };
    SECKEYPublicKey *public_key = NULL;
    unsigned int length = 0;
    memcpy(oid + 2, curve->oid.data, curve->oid.len);
    SECKEYPrivateKey *key = PK11_GenerateKeyPair(PK11_GetInternalSlot(), CKM_EC_KEY_PAIR_GEN, &parameters,
                                                 &public_key, PR_FALSE, PR_FALSE, NULL);
    if (!key) fail("cannot make", "an X25519 key");
    if (SSL_EncodeEchConfigId(1, public_name, 64, HpkeDhKemX25519Sha256, public_key, &suite, 1, list, &length,
                              sizeof list) != SECSuccess ||
        SSL_SetServerEchConfigs(socket, public_key, key, list, length) != SECSuccess)
        fail("cannot use Encrypted ClientHello with", public_name);
    printf("ECHConfigList ");
    for (unsigned int i = 0; i < length; i++) printf("%02x", list[i]);
    printf("\n");
}

static PRFileDesc *configured_socket(struct identity *identity, SECItem *credential, SECKEYPrivateKey *credential_key,
                                     int only_p384)
{
    static const SSLNamedGroup p384 = ssl_grp_ec_secp384r1;
    PRFileDesc *socket = SSL_ImportFD(NULL, PR_NewTCPSocket());
    SSLVersionRange tls13 = { SSL_LIBRARY_VERSION_TLS_1_3, SSL_LIBRARY_VERSION_TLS_1_3 };
    SSL_VersionRangeSet(socket, &tls13);
    SSL_OptionSet(socket, SSL_SECURITY, PR_TRUE);
    SSL_OptionSet(socket, SSL_ENABLE_SESSION_TICKETS, PR_TRUE);
    if (only_p384 && SSL_NamedGroupConfig(socket, &p384, 1) != SECSuccess) fail("cannot use", "P-384");

    SSLExtraServerCertData extra;
    memset(&extra, 0, sizeof extra);
    extra.authType = ssl_auth_null;
    extra.certChain = &identity->chain;
    extra.delegCred = credential;
    extra.delegCredPrivKey = credential_key;
    if (SSL_ConfigServerCert(socket, identity->certificate, identity->key, &extra, sizeof extra) != SECSuccess)
        fail("cannot serve", "this certificate and credential");
    return socket;
}

static PRFileDesc *listen_on_loopback(void)
{
    PRFileDesc *listener = PR_NewTCPSocket();
    PRNetAddr address;
    PR_InitializeNetAddr(PR_IpAddrLoopback, 0, &address);
    if (PR_Bind(listener, &address) != PR_SUCCESS || PR_Listen(listener, MAX_WAITING) != PR_SUCCESS)
        fail("cannot listen on", "127.0.0.1");
    return listener;
}

static void answer(PRFileDesc *socket)
{
    char request[4096];
    if (SSL_ForceHandshakeWithTimeout(socket, PR_SecondsToInterval(10)) != SECSuccess) {
        printf("handshake failed: %s\n", PORT_ErrorToName(PORT_GetError()));
        return;
    }
    SSLChannelInfo info;
    SSL_GetChannelInfo(socket, &info, sizeof info);
    printf("handshake ok version=%x scheme=0x%04x%s%s\n", info.protocolVersion, info.signatureScheme,
           info.resumed ? " resumed" : "", info.echAccepted ? " hidden" : "");
    /* What is not application data, such as a change_cipher_spec, also ends a call. */
    int length;
    do length = PR_Recv(socket, request, sizeof request, 0, PR_SecondsToInterval(3));
    while (length < 0 && PORT_GetError() == PR_WOULD_BLOCK_ERROR);
    if (length < 0) printf("then %s\n", PORT_ErrorToName(PORT_GetError()));
    if (length <= 0) return;
    PR_Send(socket, REPLY, sizeof REPLY - 1, 0, PR_SecondsToInterval(3));
    PR_Shutdown(socket, PR_SHUTDOWN_SEND);
    /* Until the client has closed too: a reset would take the reply from it. */
    while (PR_Recv(socket, request, sizeof request, 0, PR_SecondsToInterval(1)) > 0) continue;
}

static void serve(int count, char **arguments)
{
    int only_p384 = count > 0 && strcmp(arguments[0], "--only-p384") == 0;
    arguments += only_p384;
    count -= only_p384;
    const char *public_name = count > 1 && strcmp(arguments[0], "--ech") == 0 ? arguments[1] : NULL;
    arguments += public_name ? 2 : 0;
    count -= public_name ? 2 : 0;
    if (count != 2 && count != 4) usage();
    if (SSL_ConfigServerSessionIDCache(0, 0, 0, NULL) != SECSuccess) fail("cannot make", "the session cache");

    struct identity identity;
    SECItem credential;
    SECKEYPrivateKey *credential_key = NULL;
    load_identity(&identity, arguments[0], arguments[1]);
    if (count == 4) {
        credential = one_pem(arguments[2], "DELEGATED CREDENTIAL");
        credential_key = load_key(arguments[3]);
    }
    PRFileDesc *model = configured_socket(&identity, credential_key ? &credential : NULL, credential_key, only_p384);
    if (public_name) configure_ech(model, public_name);
    PRFileDesc *listener = listen_on_loopback();
    for (;;) { /* until killed */
        PRFileDesc *tcp = PR_Accept(listener, NULL, PR_INTERVAL_NO_TIMEOUT);
        if (!tcp) continue;
        PRFileDesc *socket = SSL_ImportFD(model, tcp);
        SSL_ResetHandshake(socket, PR_TRUE);
        answer(socket);
        PR_Shutdown(socket, PR_SHUTDOWN_BOTH);
        PR_Close(socket);
    }
}

static SECKEYPublicKey *load_public_key(const char *path)
{
    SECItem der = one_pem(path, "PUBLIC KEY");
    CERTSubjectPublicKeyInfo *spki = SECKEY_DecodeDERSubjectPublicKeyInfo(&der);
    SECKEYPublicKey *key = spki ? SECKEY_ExtractPublicKey(spki) : NULL;
    if (!key) fail("cannot read the public key", path);
    return key;
}

static int issue(char **arguments)
{
    struct identity identity;
    SECItem credential = { siBuffer, NULL, 0 };
    load_identity(&identity, arguments[0], arguments[1]);
    SSLSignatureScheme scheme =
        strcmp(arguments[3], "p384") ? ssl_sig_ecdsa_secp256r1_sha256 : ssl_sig_ecdsa_secp384r1_sha384;
    if (SSL_DelegateCredential(identity.certificate, identity.key, load_public_key(arguments[2]), scheme,
                               ISSUED_FOR_SECONDS, PR_Now(), &credential) != SECSuccess)
        fail("cannot issue for", arguments[2]);

    FILE *out = fopen(arguments[4], "w");
    if (!out) {
        perror(arguments[4]);
        return 1;
    }
    fprintf(out, "-----BEGIN DELEGATED CREDENTIAL-----\n%s\n-----END DELEGATED CREDENTIAL-----\n",
            NSSBase64_EncodeItem(NULL, NULL, 0, &credential));
    return fclose(out) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "version") == 0) return puts(NSS_GetVersion()) < 0;
    if (NSS_NoDB_Init(NULL) != SECSuccess) fail("cannot start", "NSS");
    if (argc > 2 && strcmp(argv[1], "serve") == 0) serve(argc - 2, argv + 2);
    if (argc == 7 && strcmp(argv[1], "issue") == 0) return issue(argv + 2);
    usage();
}
