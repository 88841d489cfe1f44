#include "tune/worker_protocol.h"

#include <utility>

#include "kernels/registry.h"

namespace attune {
namespace {

using nlohmann::json;

std::string library_version() {
  return fmt::format("{}.{}.{}", ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR, ATTUNE_VERSION_PATCH);
}

json binary(const std::string& bytes) {
  return json::binary(std::vector<uint8_t>(bytes.begin(), bytes.end()));
}

std::string bytes_of(const json& binary) {
  const auto& bytes = binary.get_binary();
  return {bytes.begin(), bytes.end()};
}

std::string version_reason(const json& message) {
  const int protocol = message.at("protocol").get<int>();
  const auto library = message.at("library").get<std::string>();
  if (protocol == kWorkerProtocol && library == library_version()) return {};
  return fmt::format("it is of version {} (protocol {}), this library is {} (protocol {})", library, protocol,
                     library_version(), kWorkerProtocol);
}

}  // namespace

json to_json(const WorkerHello& hello) {
  return {{"protocol", kWorkerProtocol},
          {"library", library_version()},
          {"role", static_cast<int>(hello.role)},
          {"device", hello.device},
          {"arch", hello.arch},
          {"nvrtc", hello.nvrtc_path},
          {"simt", hello.simt_options},
          {"compile_seconds", hello.compile_seconds}};
}

WorkerHello hello_from_json(const json& message) {
  if (const std::string reason = version_reason(message); !reason.empty()) {
    fail(ATTUNE_ERROR_INTERNAL, "whoever asks is of another version: {}", reason);
  }
  return {.role = static_cast<WorkerRole>(message.at("role").get<int>()),
          .device = message.at("device"),
          .arch = message.at("arch"),
          .nvrtc_path = message.at("nvrtc"),
          .simt_options = message.at("simt"),
          .compile_seconds = message.at("compile_seconds")};
}

json welcome_json(const std::string& identity) {
  return {{"protocol", kWorkerProtocol}, {"library", library_version()}, {"identity", identity}};
}

std::string refuse_reason(const json& welcome, const std::string& identity) {
  try {
    if (is_error(welcome)) return error_of(welcome).what();
    if (std::string reason = version_reason(welcome); !reason.empty()) return reason;
    const auto other = welcome.at("identity").get<std::string>();
    if (other == identity) return {};
    return fmt::format("it works with '{}', this process with '{}'", other, identity);
  } catch (const json::exception&) {
    return "it does not answer as a worker does";
  }
}

json to_json(const KernelSource& source) {
  json files = json::array();
  for (const SourceFile& file : source.files)
    files.push_back({file.path, binary(file.text)});
  return {{"entry", source.entry},
          {"main", source.main_path},
          {"files", std::move(files)},
          {"hash", source.hash}};
}

KernelSource source_from_json(const json& object) {
  KernelSource source{
      .entry = object.at("entry"), .main_path = object.at("main"), .files = {}, .hash = object.at("hash")};
  for (const json& file : object.at("files"))
    source.files.push_back({file.at(0).get<std::string>(), bytes_of(file.at(1))});
  return source;
}

json to_json(const CompiledImage& image) {
  return {{"bytes", binary(image.bytes)},
          {"entry", image.entry},
          {"log", binary(image.log)},  // a compiler may quote what is not UTF-8
          {"hash", image.hash},
          {"registers", image.registers},
          {"spill_bytes", image.spill_bytes},
          {"static_shared_bytes", image.static_shared_bytes},
          {"compile_seconds", image.compile_seconds}};
}

CompiledImage image_from_json(const json& object) {
  return {.bytes = bytes_of(object.at("bytes")),
          .entry = object.at("entry"),
          .log = bytes_of(object.at("log")),
          .hash = object.at("hash"),
          .registers = object.at("registers"),
          .spill_bytes = object.at("spill_bytes"),
          .static_shared_bytes = object.at("static_shared_bytes"),
          .compile_seconds = object.at("compile_seconds")};
}

json to_json(const CompileResult& result) {
  json object = {{"log", binary(result.log)}, {"end", static_cast<int>(result.end)}};
  if (result.image) object["image"] = to_json(*result.image);
  return object;
}

CompileResult compile_result_from_json(const json& object) {
  CompileResult result{.image = std::nullopt,
                       .log = bytes_of(object.at("log")),
                       .end = static_cast<CompileEnd>(object.at("end").get<int>())};
  if (object.contains("image")) result.image = image_from_json(object["image"]);
  return result;
}

json to_json(const Problem& problem) {
  return {{"operation", static_cast<int>(problem.operation)},
          {"dtype", static_cast<int>(problem.dtype)},
          {"layout", static_cast<int>(problem.layout)},
          {"mask", static_cast<int>(problem.mask)},
          {"batch", problem.batch},
          {"heads_q", problem.heads_q},
          {"heads_kv", problem.heads_kv},
          {"seqlen_q", problem.seqlen_q},
          {"seqlen_kv", problem.seqlen_kv},
          {"head_dim", problem.head_dim},
          {"head_dim_v", problem.head_dim_v},
          {"single_config", problem.single_config},
          {"deterministic", problem.deterministic}};
}

Problem problem_of_json(const json& object) {
  Problem problem{.operation = static_cast<Operation>(object.at("operation").get<int>()),
                  .dtype = static_cast<DType>(object.at("dtype").get<int>()),
                  .layout = static_cast<Layout>(object.at("layout").get<int>()),
                  .mask = static_cast<Mask>(object.at("mask").get<int>()),
                  .batch = object.at("batch"),
                  .heads_q = object.at("heads_q"),
                  .heads_kv = object.at("heads_kv"),
                  .seqlen_q = object.at("seqlen_q"),
                  .seqlen_kv = object.at("seqlen_kv"),
                  .head_dim = object.at("head_dim"),
                  .head_dim_v = object.at("head_dim_v"),
                  .single_config = object.at("single_config"),
                  .deterministic = object.at("deterministic")};
  validate(problem);
  return problem;
}

json to_json(const Candidate& candidate) {
  return {{"family", candidate.family->name()}, {"config", to_string(candidate.config)}};
}

Candidate candidate_from_json(const json& object, const Problem& problem) {
  const auto name = object.at("family").get<std::string>(), text = object.at("config").get<std::string>();
  const Family* family = find_family(name);
  const std::optional<Config> config = config_from_string(text);
  if (!family || !config) fail(ATTUNE_ERROR_INTERNAL, "the worker knows no candidate {} {}", name, text);
  return {.family = family, .config = *config, .use = family->resources(problem, *config)};
}

json verdict_json(const Trial& trial) {
  return {{"outcome", name_of(trial.outcome)},
          {"reason", binary(trial.reason)},
          {"registers", trial.registers},
          // JSON has no infinity, CBOR does.
          {"max_error", trial.max_error}};
}

void take_verdict(const json& object, Trial& trial) {
  trial.outcome = outcome_from_name(object.at("outcome").get<std::string>()).value_or(Outcome::crashed);
  trial.reason = bytes_of(object.at("reason"));
  trial.registers = object.at("registers");
  trial.max_error = object.at("max_error");
}

json to_json(const std::vector<Measurement>& measurements) {
  json array = json::array();
  for (const Measurement& measurement : measurements) {
    array.push_back({{"samples", measurement.samples},
                     {"eliminated", measurement.eliminated},
                     {"by_replay", measurement.by_replay}});
  }
  return array;
}

std::vector<Measurement> measurements_from_json(const json& array) {
  std::vector<Measurement> measurements;
  for (const json& object : array) {
    measurements.push_back(measurement_of(object.at("samples").get<std::vector<double>>()));
    measurements.back().eliminated = object.at("eliminated");
    measurements.back().by_replay = object.at("by_replay");
  }
  return measurements;
}

json error_json(const Error& error) {
  return {{"status", static_cast<int>(error.status())}, {"error", binary(error.what())}};
}

bool is_error(const json& message) {
  return message.is_object() && message.contains("error");
}

Error error_of(const json& message) {
  return Error(static_cast<Status>(message.at("status").get<int>()), bytes_of(message.at("error")));
}

}  // namespace attune
