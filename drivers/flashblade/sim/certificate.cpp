#include "drivers/flashblade/sim/certificate.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <memory>
#include <system_error>

namespace homeport::fbsim {
namespace {

namespace fs = std::filesystem;
constexpr long kYears10 = 10L * 365 * 24 * 3600;

struct Free {
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
  void operator()(BIO* p) const { BIO_free_all(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

bool add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

Owned<X509> make_certificate(EVP_PKEY* key, const std::string& address) {
  Owned<X509> out(X509_new());
  if (!out) return nullptr;
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(out.get()), serial >> 1U);
  X509_set_version(out.get(), X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(out.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), kYears10);
  X509_set_pubkey(out.get(), key);
  auto* name = X509_get_subject_name(out.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("flashblade-sim"), -1, -1,
                             0);
  X509_set_issuer_name(out.get(), name);
  std::string names = "DNS:localhost,DNS:flashblade-sim,IP:127.0.0.1,IP:::1";
  if (address != "127.0.0.1" && address != "::1" && address != "0.0.0.0" && address != "::") names += ",IP:" + address;
  const bool done = add_extension(out.get(), NID_basic_constraints, "critical,CA:TRUE") &&
                    add_extension(out.get(), NID_subject_alt_name, names) &&
                    X509_sign(out.get(), key, EVP_sha256()) > 0;
  return done ? std::move(out) : nullptr;
}

// Created for the owner alone before the first byte is in it.
bool write_file(const fs::path& path, const BIO* bytes, unsigned mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return false;
  const char* data = nullptr;
  const long size = BIO_get_mem_data(const_cast<BIO*>(bytes), const_cast<char**>(&data));
  const bool done = ::write(fd, data, static_cast<std::size_t>(size)) == size;
  return ::close(fd) == 0 && done;
}

}  // namespace

Result<TlsFiles> ensure_certificate(const fs::path& directory, const std::string& address) {
  const TlsFiles out{directory / "certificate.pem", directory / "key.pem"};
  std::error_code ec;
  if (fs::exists(out.certificate, ec) && fs::exists(out.key, ec)) return out;
  fs::create_directories(directory, ec);
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  const auto certificate = key ? make_certificate(key.get(), address) : nullptr;
  const Owned<BIO> key_text(BIO_new(BIO_s_mem()));
  const Owned<BIO> certificate_text(BIO_new(BIO_s_mem()));
  if (!certificate || PEM_write_bio_X509(certificate_text.get(), certificate.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Error{.code = Errc::internal, .message = "cannot make a certificate"};
  }
  if (!write_file(out.key, key_text.get(), 0600) || !write_file(out.certificate, certificate_text.get(), 0644)) {
    return Error{.code = Errc::failed_precondition,
                 .message = "cannot write the certificate into " + directory.string(),
                 .hint = "give a directory that can be written with --certificate-dir"};
  }
  return out;
}

}  // namespace homeport::fbsim
