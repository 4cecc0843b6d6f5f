#include "provisioner/base/id_source.h"

#include <openssl/rand.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "provisioner/base/guarded.h"

namespace homeport {
namespace {

std::string base64url(const std::vector<unsigned char>& bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned bits = 0;
  int held = 0;
  for (const unsigned char byte : bytes) {
    bits = (bits << 8U) | byte;
    held += 8;
    while (held >= 6) {
      held -= 6;
      out += kAlphabet[(bits >> static_cast<unsigned>(held)) & 63U];
    }
  }
  if (held > 0) out += kAlphabet[(bits << static_cast<unsigned>(6 - held)) & 63U];
  return out;
}

class SystemIds final : public IdSource {
 public:
  std::uint64_t random64() override {
    std::uint64_t value = 0;
    fill(reinterpret_cast<unsigned char*>(&value), sizeof value);
    return value;
  }
  std::string random_token(std::size_t bytes) override {
    std::vector<unsigned char> raw(bytes);
    fill(raw.data(), raw.size());
    return base64url(raw);
  }

 private:
  static void fill(unsigned char* to, std::size_t n) {
    // Without randomness keys could collide and tokens could be guessed: there is no safe way to go on.
    if (RAND_bytes(to, static_cast<int>(n)) != 1) std::abort();
  }
};

class SeededIds final : public IdSource {
 public:
  explicit SeededIds(std::uint64_t seed) : engine_(std::mt19937_64(seed)) {}
  std::uint64_t random64() override {
    return engine_.with([](std::mt19937_64& e) { return e(); });
  }
  std::string random_token(std::size_t bytes) override {
    std::vector<unsigned char> raw(bytes);
    engine_.with([&](std::mt19937_64& e) {
      for (auto& byte : raw) byte = static_cast<unsigned char>(e());
    });
    return base64url(raw);
  }

 private:
  Guarded<std::mt19937_64> engine_;
};

}  // namespace

std::unique_ptr<IdSource> make_system_ids() {
  return std::make_unique<SystemIds>();
}
std::unique_ptr<IdSource> make_seeded_ids(std::uint64_t seed) {
  return std::make_unique<SeededIds>(seed);
}

}  // namespace homeport
