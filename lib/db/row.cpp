#include "db/row.h"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace attune {
namespace {

// Samples are stored as a JSON array of seconds, so that SQLite's own json_each() can take them apart. A
// double's text takes at most 24 bytes, and a comma.
constexpr int kMaxSamplesBytes = static_cast<int>(kMaxSamples) * 25 + 2;

struct FieldBinder {
  SQLite::Statement& statement;
  int index = 0;

  void operator()(const char*, const std::string& text) { statement.bind(++index, text); }
  void operator()(const char*, Outcome outcome) { statement.bind(++index, std::string(name_of(outcome))); }
  void operator()(const char*, int value) { statement.bind(++index, value); }
  void operator()(const char*, int64_t value) { statement.bind(++index, value); }
  void operator()(const char*, double value) { statement.bind(++index, value); }
  void operator()(const char*, const std::optional<double>& value) {
    ++index;
    value ? statement.bind(index, *value) : statement.bind(index);
  }
  void operator()(const char*, const std::vector<double>& values) {
    statement.bind(++index, nlohmann::json(values).dump());
  }
};

// Loads one field per call; after the first fault it loads no more. SQLite gives any column any type,
// whatever the schema says, so each type is checked.
struct FieldReader {
  SQLite::Statement& statement;
  std::string reason;
  int index = 0;

  template <typename Field>
  void operator()(const char* name, Field& field) {
    const SQLite::Column column = statement.getColumn(++index);  // column 0 is the id
    if (reason.empty() && !load(column, field)) reason = fmt::format("{} is not what it must be", name);
  }

 private:
  static bool load(const SQLite::Column& column, std::string& text) {
    if (!column.isText() || column.getBytes() > static_cast<int>(kMaxTextBytes)) return false;
    text = column.getString();
    return true;
  }
  static bool load(const SQLite::Column& column, Outcome& outcome) {
    std::string name;
    if (!load(column, name)) return false;
    const std::optional<Outcome> known = outcome_from_name(name);
    if (known) outcome = *known;
    return known.has_value();
  }
  static bool load(const SQLite::Column& column, int64_t& value) {
    if (!column.isInteger()) return false;
    value = column.getInt64();
    return true;
  }
  static bool load(const SQLite::Column& column, int& value) {
    int64_t wide = 0;
    if (!load(column, wide) || !std::in_range<int>(wide)) return false;
    value = static_cast<int>(wide);
    return true;
  }
  static bool load(const SQLite::Column& column, double& value) {
    if (!column.isFloat() && !column.isInteger()) return false;
    value = column.getDouble();
    return true;
  }
  static bool load(const SQLite::Column& column, std::optional<double>& value) {
    value.reset();
    return column.isNull() || load(column, value.emplace());
  }
  static bool load(const SQLite::Column& column, std::vector<double>& values) {
    if (!column.isText() || column.getBytes() > kMaxSamplesBytes) return false;
    const nlohmann::json array = nlohmann::json::parse(column.getString(), nullptr, false);
    values.clear();
    for (const nlohmann::json& element : array) {
      if (element.is_number()) values.push_back(element.get<double>());
    }
    return array.is_array() && values.size() == array.size();
  }
};

}  // namespace

namespace {

std::string columns_but(std::string_view emptied) {
  std::string columns;
  Record record;
  for_each_field(record, [&](const char* name, const auto&) {
    if (!columns.empty()) columns += ", ";
    columns += name == emptied ? fmt::format("'[]' AS {}", name) : name;
  });
  return columns;
}

}  // namespace

std::string record_columns() {
  return columns_but("");
}

std::string insert_statement() {
  std::string values;
  Record record;
  for_each_field(record, [&](const char*, const auto&) { values += values.empty() ? "?" : ", ?"; });
  return fmt::format("INSERT INTO record ({}) VALUES ({})", record_columns(), values);
}

std::string select_statement(bool with_samples) {
  return fmt::format("SELECT id, {} FROM record", with_samples ? record_columns() : columns_but("samples"));
}

void bind_record(SQLite::Statement& statement, const Record& record) {
  FieldBinder binder{.statement = statement};
  for_each_field(record, binder);
}

void insert_record(SQLite::Database& database, const Record& record) {
  SQLite::Statement statement(database, insert_statement());
  bind_record(statement, record);
  statement.exec();
}

std::string read_record(SQLite::Statement& statement, Record& record) {
  record.id = statement.getColumn(0).getInt64();
  FieldReader reader{.statement = statement, .reason = {}};
  for_each_field(record, reader);
  return reader.reason.empty() ? reject_reason(record) : reader.reason;
}

}  // namespace attune
