#include "provisioner/base/sha256_sum.h"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace homeport {

struct Sha256Sum::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Sha256Sum::Sha256Sum() : state_(std::make_unique<State>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("OpenSSL makes no SHA-256");
}

Sha256Sum::~Sha256Sum() = default;

void Sha256Sum::add(std::string_view data) {
  if (EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) != 1)
    throw std::runtime_error("OpenSSL goes on with no SHA-256");
}

std::string Sha256Sum::hex() {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  if (EVP_DigestFinal_ex(state_->context.get(), bytes.data(), &size) != 1)
    throw std::runtime_error("OpenSSL ends no SHA-256");
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kHex[bytes.at(i) >> 4U];
    text += kHex[bytes.at(i) & 15U];
  }
  return text;
}

}  // namespace homeport
