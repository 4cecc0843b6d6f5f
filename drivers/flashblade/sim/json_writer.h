// JSON as text, member by member: what comes by the thousand is written without a document in between.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "drivers/flashblade/sim/json.h"

namespace homeport::fbsim {

// Appends to `out`, which must outlive it. The caller balances open and close; nothing is checked.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void open(char bracket) { out_ += bracket; }  // '{' or '[', after key() or as an element
  void close(char bracket) { out_ += bracket; }
  void key(std::string_view name);  // plain ASCII
  void element();                   // before each element of a list

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(bool truth) { out_ += truth ? "true" : "false"; }
  void value(std::nullptr_t) { out_ += "null"; }
  template <std::integral T>
  requires(!std::same_as<T, bool>) void value(T number) { out_ += std::to_string(number); }
  void value(const Json& document);  // a rare shape, or a number with decimals

  template <class T>
  void member(std::string_view name, const T& what) {
    key(name);
    value(what);
  }
  // {"name","id","resource_type"}; without an id every member is null.
  void reference(std::string_view name, std::string_view id, std::string_view type);

 private:
  std::string& out_;
};

}  // namespace homeport::fbsim
