#include "tests/unit/render/parsers.h"

#include <gtest/gtest.h>
#include <mntent.h>

#include <array>
#include <cstdio>
#include <memory>
#include <sstream>

namespace homeport::render::testing {
namespace {

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

std::string decode_octal(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool coded = text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
                       is_octal(text[i + 3]);
    if (!coded) {
      out += text[i];
      continue;
    }
    out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return out;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t i = text.find(from); i != std::string::npos; i = text.find(from, i + to.size()))
    text.replace(i, from.size(), to);
  return text;
}

}  // namespace

std::vector<std::string> parse_csv_record(const std::string& line) {
  std::vector<std::string> out(1);
  std::size_t i = 0;
  while (i < line.size()) {
    if (out.back().empty() && line[i] == '"') {
      for (++i; i < line.size(); ++i) {
        if (line[i] != '"') {
          out.back() += line[i];
        } else if (i + 1 < line.size() && line[i + 1] == '"') {
          out.back() += line[i++];
        } else {
          break;
        }
      }
      EXPECT_LT(i, line.size()) << "unclosed quote in " << line;
      ++i;
      EXPECT_TRUE(i >= line.size() || line[i] == ',') << "text after a closing quote in " << line;
    }
    while (i < line.size() && line[i] != ',') {
      EXPECT_NE(line[i], '"') << "bare quote in " << line;
      out.back() += line[i++];
    }
    if (i < line.size()) {
      out.emplace_back();
      ++i;
    }
  }
  return out;
}

std::vector<FstabEntry> parse_fstab(const std::string& text) {
  std::vector<FstabEntry> out;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    FstabEntry entry;
    std::string dump;
    std::string pass;
    std::string more;
    fields >> entry.source >> entry.target >> entry.type >> entry.options >> dump >> pass;
    EXPECT_EQ(dump + pass, "00") << line;
    EXPECT_FALSE(fields >> more) << "a seventh field in " << line;
    entry.source = decode_octal(entry.source);
    entry.target = decode_octal(entry.target);
    entry.options = decode_octal(entry.options);
    out.push_back(entry);
  }
  return out;
}

std::vector<FstabEntry> parse_with_getmntent(const std::string& file) {
  // glibc before 2.37 knows \040 \011 \012 and \134 only, so a '#' comes back as it was written.
  const auto hashes = [](const char* text) { return replace_all(text, "\\043", "#"); };
  std::vector<FstabEntry> out;
  const std::unique_ptr<FILE, int (*)(FILE*)> table(setmntent(file.c_str(), "r"), &endmntent);
  EXPECT_NE(table, nullptr);
  std::array<char, 16384> buffer{};
  mntent entry{};
  while (table != nullptr &&
         getmntent_r(table.get(), &entry, buffer.data(), static_cast<int>(buffer.size())) != nullptr) {
    out.push_back({hashes(entry.mnt_fsname), hashes(entry.mnt_dir), entry.mnt_type, entry.mnt_opts});
  }
  return out;
}

DockerMount parse_docker_mount(const std::string& argument) {
  DockerMount out;
  for (const auto& field : parse_csv_record(argument)) {
    const auto equals = field.find('=');
    const auto key = field.substr(0, equals);
    const auto value = equals == std::string::npos ? "" : field.substr(equals + 1);
    if (key != "volume-opt") {
      EXPECT_TRUE(out.fields.emplace(key, value).second) << key << " twice in " << argument;
      continue;
    }
    const auto inner = value.find('=');
    EXPECT_TRUE(out.volume_opts.emplace(value.substr(0, inner), value.substr(inner + 1)).second) << argument;
  }
  return out;
}

std::string kubernetes_expand(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '$' || i + 1 >= value.size()) {
      out += value[i];
    } else if (value[i + 1] == '$') {
      out += '$';
      ++i;
    } else if (value[i + 1] == '(' && value.find(')', i) != std::string_view::npos) {
      i = value.find(')', i);
    } else {
      out += value[i];
      out += value[++i];
    }
  }
  return out;
}

}  // namespace homeport::render::testing
