#include "tools/supported.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "device/device_spec.h"
#include "kernels/registry.h"
#include "problem/stages.h"

namespace attune {
namespace {

// Enums are probed from their least value on: what the API accepts is supported, so a new enumerator needs no
// word here.
constexpr int kMaxEnumerator = 32;
constexpr int64_t kMaxProbedDim = 1024;

attune_attention_desc plain_desc() {
  attune_attention_desc desc = ATTUNE_ATTENTION_DESC_INIT;
  desc.dtype = ATTUNE_F16;
  desc.layout = ATTUNE_BHSD;
  desc.heads_q = desc.heads_kv = 16;
  desc.head_dim = 64;
  desc.max_batch = 2;
  desc.max_seqlen_q = desc.max_seqlen_kv = 2048;
  return desc;
}

std::optional<Problem> accepted(const attune_attention_desc& desc) {
  try {
    return problem_from_desc(desc);
  } catch (const Error&) {
    return std::nullopt;
  }
}

// The values of one field that are accepted.
template <typename Enum>
std::vector<Enum> accepted_values(Enum attune_attention_desc::*field) {
  std::vector<Enum> values;
  for (int value = 0; value <= kMaxEnumerator; ++value) {
    attune_attention_desc desc = plain_desc();
    desc.*field = static_cast<Enum>(value);
    if (accepted(desc)) values.push_back(static_cast<Enum>(value));
  }
  return values;
}

// Stops at the first, unlike enumerate_candidates, since thousands of problems are asked about.
bool stage_has_config(const Problem& problem, const DeviceSpec& device) {
  for (const Family* family : families()) {
    if (!family->inapplicable_reason(problem, device).empty()) continue;
    for (const Config& config : family->space(problem, device).enumerate()) {
      if (check_budget(family->resources(problem, config), device, Margin{}).fits) return true;
    }
  }
  return false;
}

bool has_config(const Problem& problem, const DeviceSpec& device) {
  return std::ranges::all_of(stages_of(problem),
                             [&](const Problem& stage) { return stage_has_config(stage, device); });
}

using Cells = std::vector<std::string>;  // one per architecture

// Head dimensions, the same for keys and values, that some kernel computes on each of the known devices.
Cells head_dims(attune_attention_desc desc) {
  std::vector<Problem> problems;
  for (int64_t dim = 1; dim <= kMaxProbedDim; ++dim) {
    desc.head_dim = desc.head_dim_v = dim;
    if (std::optional<Problem> problem = accepted(desc)) problems.push_back(*problem);
  }
  Cells cells;
  for (const DeviceSpec& device : known_devices()) {
    std::vector<int64_t> dims;
    for (const Problem& problem : problems)
      if (has_config(problem, device)) dims.push_back(problem.head_dim);
    cells.push_back(range_text(dims));
  }
  return cells;
}

template <typename Values, typename Name>
std::string listed(const Values& values, Name&& name) {
  std::string text;
  for (const auto& value : values)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name(value));
  return text;
}

struct Row {
  std::string dtype;
  std::string variants;  // masks and layouts, where they do not all behave alike
  Cells cells;
};

// One row per dtype; more where a mask or a layout is not supported like the others.
std::vector<Row> rows_of(attune_operation operation, attune_dtype dtype,
                         const std::vector<attune_mask>& masks, const std::vector<attune_layout>& layouts) {
  std::vector<std::pair<Cells, std::string>> groups;
  for (const attune_mask mask : masks) {
    for (const attune_layout layout : layouts) {
      attune_attention_desc desc = plain_desc();
      desc.operation = operation;
      desc.dtype = dtype;
      desc.mask = mask;
      desc.layout = layout;
      Cells cells = head_dims(desc);
      const std::string variant =
          fmt::format("{} {}", name_of(static_cast<Mask>(mask)), name_of(static_cast<Layout>(layout)));
      const auto same =
          std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group.first == cells; });
      if (same == groups.end())
        groups.emplace_back(std::move(cells), variant);
      else
        same->second += ", " + variant;
    }
  }
  std::vector<Row> rows;
  rows.reserve(groups.size());
  for (auto& [cells, variants] : groups) {
    rows.push_back({std::string(name_of(static_cast<DType>(dtype))), groups.size() > 1 ? variants : "",
                    std::move(cells)});
  }
  return rows;
}

// Columns of architectures that are alike in all rows become one.
struct Column {
  std::string title;
  size_t first;  // index of an architecture it stands for
};

std::vector<Column> columns_of(const std::vector<Row>& rows) {
  std::vector<Column> columns;
  for (size_t i = 0; i < known_devices().size(); ++i) {
    const std::string& arch = known_devices()[i].arch;
    const auto same = std::find_if(columns.begin(), columns.end(), [&](const Column& column) {
      return std::all_of(rows.begin(), rows.end(),
                         [&](const Row& row) { return row.cells[i] == row.cells[column.first]; });
    });
    if (same == columns.end())
      columns.push_back({arch, i});
    else
      same->title += ", " + arch;
  }
  return columns;
}

std::string table_text(std::string_view operation, const std::vector<Row>& rows) {
  const std::vector<Column> columns = columns_of(rows);
  std::string title = fmt::format("| {} |", operation), rule = "|---|", body;
  for (const Column& column : columns) {
    title += fmt::format(" {} |", column.title);
    rule += "---|";
  }
  for (const Row& row : rows) {
    body += fmt::format("| {}{} |", row.dtype, row.variants.empty() ? "" : " (" + row.variants + ")");
    for (const Column& column : columns)
      body += fmt::format(" {} |", row.cells[column.first]);
    body += "\n";
  }
  return fmt::format("{}\n{}\n{}", title, rule, body);
}

// Whether keys and values may differ in their head dimensions, by pairs models use.
std::string differing_dims() {
  constexpr std::pair<int64_t, int64_t> kPairs[] = {{192, 128}, {128, 64}, {64, 128}, {96, 64}, {40, 80}};
  std::vector<std::pair<int64_t, int64_t>> works;
  for (const auto& [keys, values] : kPairs) {
    attune_attention_desc desc = plain_desc();
    desc.head_dim = keys;
    desc.head_dim_v = values;
    const std::optional<Problem> problem = accepted(desc);
    const auto runs = [&](const DeviceSpec& device) { return has_config(*problem, device); };
    if (problem && std::any_of(known_devices().begin(), known_devices().end(), runs))
      works.emplace_back(keys, values);
  }
  if (works.empty()) return "keys and values must have the same head dimension";
  const auto pair = [](const auto& dims) { return fmt::format("{}/{}", dims.first, dims.second); };
  if (works.size() == std::size(kPairs)) return "keys and values may differ in it, such as 192/128";
  return "keys and values may differ in it as in " + listed(works, pair);
}

}  // namespace

std::string range_text(const std::vector<int64_t>& values) {
  if (values.empty()) return "none";
  const int64_t first = values.front(), last = values.back();
  const int64_t step = values.size() > 1 ? values[1] - first : 1;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != first + static_cast<int64_t>(i) * step)
      return listed(values, [](int64_t value) { return value; });
  }
  if (values.size() < 3) return listed(values, [](int64_t value) { return value; });
  return step == 1 ? fmt::format("{} to {}", first, last)
                   : fmt::format("{} to {} in steps of {}", first, last, step);
}

std::string supported_markdown() {
  const auto masks = accepted_values(&attune_attention_desc::mask);
  const auto layouts = accepted_values(&attune_attention_desc::layout);
  // The names are the problem's: the API's numbers need not be its.
  const auto operation_name = [](attune_operation operation) {
    attune_attention_desc desc = plain_desc();
    desc.operation = operation;
    return name_of(accepted(desc)->operation);
  };
  std::string text =
      "Head dimensions that some config fits, by operation, dtype and architecture; no safety margin taken "
      "off.\n\n";
  for (const attune_operation operation : accepted_values(&attune_attention_desc::operation)) {
    std::vector<Row> rows;
    for (const attune_dtype dtype : accepted_values(&attune_attention_desc::dtype)) {
      for (Row& row : rows_of(operation, dtype, masks, layouts))
        rows.push_back(std::move(row));
    }
    text += table_text(operation_name(operation), rows) + "\n";
  }
  return text + fmt::format("- Masks: {}. Layouts: {}.\n- Head dimensions: {}.\n",
                            listed(masks, [](attune_mask mask) { return name_of(static_cast<Mask>(mask)); }),
                            listed(layouts,
                                   [](attune_layout layout) { return name_of(static_cast<Layout>(layout)); }),
                            differing_dims());
}

}  // namespace attune
