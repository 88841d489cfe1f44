#include "specialize/kernel_source.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/files.h"
#include "kernels/registry.h"
#include "specialize/embedded_templates.h"
#include "support/catch.h"
#include "support/caught.h"

using namespace attune;
namespace fs = std::filesystem;

namespace {

const fs::path kTemplates = fs::path(ATTUNE_SOURCE_DIR) / "kernel_templates";

const Problem kCausal{.dtype = DType::bf16,
                      .mask = Mask::causal,
                      .heads_q = 8,
                      .heads_kv = 2,
                      .head_dim = 128,
                      .head_dim_v = 128};
const Problem kSoftmax{.operation = Operation::row_softmax, .dtype = DType::f32};
const Config kFlashConfig{{"BLOCK_M", 128},      {"BLOCK_N", 64},    {"WARPS", 4},        {"STAGES", 2},
                          {"Q_IN_REGISTERS", 1}, {"KEEP_PLACES", 0}, {"TENSOR_COPIES", 0}};
const Config kSoftmaxConfig{{"WARPS", 2}, {"ROWS_PER_BLOCK", 4}};

const Family& flash_fwd() {
  return *find_family("flash_fwd");
}
const Family& row_softmax() {
  return *find_family("row_softmax");
}

KernelSource flash_source(const TemplateStore& store = TemplateStore(), const Problem& problem = kCausal,
                          const Config& config = kFlashConfig) {
  return specialize(store, flash_fwd(), problem, config);
}

std::set<std::string> paths_of(const KernelSource& source) {
  std::set<std::string> paths;
  for (const SourceFile& file : source.files)
    paths.insert(file.path);
  return paths;
}

// A copy of the templates that a test may change.
class TemplateCopy {
 public:
  TemplateCopy() { fs::copy(kTemplates, root(), fs::copy_options::recursive); }
  fs::path root() const { return scratch_.path() / "templates"; }
  TemplateStore store() const { return TemplateStore(root()); }
  void append(const std::string& path, const std::string& text) const {
    std::ofstream(root() / path, std::ios::app) << text;
  }

 private:
  ScratchDirectory scratch_;
};

}  // namespace

TEST_CASE("attune_config.h holds every constant by name") {
  const KernelSource source = flash_source();
  CHECK(source.entry == "flash_fwd");
  CHECK(source.main_path == "flash_fwd.cuh");
  CHECK(source.file("attune_config.h").text ==
        "// Written by attune's specialiser for flash_fwd: forward bf16 d128 dv128 group4 causal\n"
        "#pragma once\n"
        "#define ELEMENT bf16\n"
        "#define ELEMENT_BYTES 2\n"
        "#define HEAD_DIM 128\n"
        "#define HEAD_DIM_V 128\n"
        "#define CAUSAL_MASK 1\n"
        "#define BLOCK_M 128\n"
        "#define BLOCK_N 64\n"
        "#define WARPS 4\n"
        "#define STAGES 2\n"
        "#define Q_IN_REGISTERS 1\n"
        "#define KEEP_PLACES 0\n"
        "#define TENSOR_COPIES 0\n");
  CHECK(specialize(TemplateStore(), row_softmax(), kSoftmax, kSoftmaxConfig).file("attune_config.h").text ==
        "// Written by attune's specialiser for row_softmax: row_softmax f32\n"
        "#pragma once\n"
        "#define WARPS 2\n"
        "#define ROWS_PER_BLOCK 4\n");
  const Problem plain{.dtype = DType::f32, .head_dim = 64, .head_dim_v = 64};
  const std::string text = flash_source(TemplateStore(), plain).file("attune_config.h").text;
  CHECK(text.find("#define ELEMENT float\n#define ELEMENT_BYTES 4\n#define HEAD_DIM 64\n#define HEAD_DIM_V "
                  "64\n#define CAUSAL_MASK 0\n") != std::string::npos);
}

TEST_CASE("every tunable and every constant is a documented default of its template") {
  for (const Family* family : families()) {
    const Problem& problem = family->name() == "row_softmax" ? kSoftmax : kCausal;
    const std::string text = TemplateStore().text(family->template_path());
    std::vector<std::string> names;
    for (const Define& define : family->defines(problem))
      names.push_back(define.name);
    const ConfigSpace space = family->space(problem, *known_device("sm_90"));
    for (const Parameter& parameter : space.parameters())
      names.push_back(parameter.name);
    for (const std::string& name : names) {
      INFO(family->name() << " " << name);
      CHECK(text.find("#define " + name + " ") != std::string::npos);
    }
  }
}

TEST_CASE("a source holds the template and all that it includes, unedited") {
  const KernelSource source = flash_source();
  const std::set<std::string> paths = paths_of(source);
  CHECK(paths.size() == source.files.size());  // each once, though included from several places
  for (const char* path : {"attune_config.h", "flash_fwd.cuh", "flash_fwd.layout.h", "flash_fwd.params.h",
                           "attention/mask.cuh", "attention/softmax.cuh", "tile/load.cuh",
                           "tile/products_mma.cuh", "isa/isa.cuh", "isa/portable.cuh", "isa/sm80.cuh"}) {
    INFO(path);
    CHECK(paths.contains(path));
  }
  for (const char* path : {"row_softmax.cuh", "row_softmax.layout.h", "row_softmax.params.h"}) {
    INFO(path);
    CHECK_FALSE(paths.contains(path));
  }
  for (const SourceFile& file : source.files) {
    if (file.path == "attune_config.h") continue;
    INFO(file.path);
    CHECK(file.text == read_file(kTemplates / file.path));
  }
  CHECK(caught([&] { source.file("row_softmax.cuh"); }) ==
        Caught{ATTUNE_ERROR_INTERNAL, "kernel source flash_fwd has no file row_softmax.cuh"});
}

TEST_CASE("the hash changes with every constant, and only with what is compiled in") {
  const std::string hash = flash_source().hash;
  CHECK(flash_source().hash == hash);
  for (const char* name :
       {"BLOCK_M", "BLOCK_N", "WARPS", "STAGES", "Q_IN_REGISTERS", "KEEP_PLACES", "TENSOR_COPIES"}) {
    INFO(name);
    Config config = kFlashConfig;
    config.set(name, config.at(name) + 1);
    CHECK(flash_source(TemplateStore(), kCausal, config).hash != hash);
  }
  Problem other = kCausal;
  other.mask = Mask::none;
  CHECK(flash_source(TemplateStore(), other).hash != hash);
  other = kCausal, other.dtype = DType::f16;
  CHECK(flash_source(TemplateStore(), other).hash != hash);
  other = kCausal, other.head_dim = other.head_dim_v = 64;
  CHECK(flash_source(TemplateStore(), other).hash != hash);
  // Lengths, batch, layout and heads of one group size are not compiled in.
  other = kCausal, other.batch = 9, other.seqlen_q = 77, other.seqlen_kv = 3, other.layout = Layout::bshd;
  other.heads_q = 32, other.heads_kv = 8;
  CHECK(flash_source(TemplateStore(), other).hash == hash);
}

TEST_CASE("the hash changes with every reached file and with no other") {
  const TemplateCopy copy;
  const std::string flash_hash = flash_source(copy.store()).hash;
  const std::string softmax_hash = specialize(copy.store(), row_softmax(), kSoftmax, kSoftmaxConfig).hash;
  CHECK(flash_hash == flash_source().hash);  // the directory holds what is embedded
  copy.append("tile/load.cuh", "// changed\n");
  CHECK(flash_source(copy.store()).hash != flash_hash);
  CHECK(specialize(copy.store(), row_softmax(), kSoftmax, kSoftmaxConfig).hash == softmax_hash);

  const TemplateCopy pristine;
  for (const std::string& path : paths_of(flash_source())) {
    if (path == "attune_config.h") continue;
    const std::string before = flash_source(pristine.store()).hash;
    pristine.append(path, " ");
    INFO(path);
    CHECK(flash_source(pristine.store()).hash != before);
  }
}

TEST_CASE("hash_of depends on paths and texts, not on the order of files") {
  const SourceFile a{"a.h", "one"}, b{"b.h", "two"};
  CHECK(hash_of({a, b}) == hash_of({b, a}));
  CHECK(hash_of({a, b}) != hash_of({a}));
  CHECK(hash_of({{"a.h", "two"}, {"b.h", "one"}}) != hash_of({a, b}));
  // Text that moves from one file to its neighbour.
  CHECK(hash_of({{"a.h", "xy"}, {"b.h", "z"}}) != hash_of({{"a.h", "x"}, {"b.h", "yz"}}));
  CHECK(hash_of({{"a.h", "1\nb.h:1:z"}}) != hash_of({{"a.h", "1"}, {"b.h", "z"}}));
}

TEST_CASE("a template directory replaces the embedded text, completely") {
  const TemplateCopy copy;
  copy.append("flash_fwd.cuh", "// mine\n");
  const KernelSource source = flash_source(copy.store());
  CHECK(source.file("flash_fwd.cuh").text.ends_with("// mine\n"));
  CHECK_FALSE(flash_source().file("flash_fwd.cuh").text.ends_with("// mine\n"));
  // No mixture: what the directory lacks is an error, not the embedded file.
  fs::remove(copy.root() / "tile" / "load.cuh");
  CHECK(caught([&] { flash_source(copy.store()); }) ==
        Caught{ATTUNE_ERROR_INVALID_ARGUMENT, "template " + (copy.root() / "tile/load.cuh").string() +
                                                  " cannot be read (ATTUNE_TEMPLATE_DIR)"});
  CHECK(caught([] { TemplateStore("/nonexistent").text("flash_fwd.cuh"); }) ==
        Caught{ATTUNE_ERROR_INVALID_ARGUMENT,
               "template /nonexistent/flash_fwd.cuh cannot be read (ATTUNE_TEMPLATE_DIR)"});
  CHECK(caught([] { TemplateStore().text("nothing.cuh"); }) ==
        Caught{ATTUNE_ERROR_INTERNAL, "template nothing.cuh is not embedded in this library"});
}

TEST_CASE("the embedded templates are the files of kernel_templates/, sorted") {
  std::vector<std::string> on_disk;
  for (const auto& entry : fs::recursive_directory_iterator(kTemplates)) {
    const std::string name = entry.path().filename().string();
    const bool is_leftover = name.front() == '.' || name.front() == '#' || name.back() == '~';
    if (entry.is_regular_file() && !is_leftover)
      on_disk.push_back(fs::relative(entry.path(), kTemplates).string());
  }
  std::ranges::sort(on_disk);
  std::vector<std::string> embedded;
  for (const EmbeddedFile& file : embedded_templates()) {
    embedded.emplace_back(file.path);
    INFO(file.path);
    CHECK(std::string(file.text) == read_file(kTemplates / file.path));
  }
  CHECK(embedded == on_disk);
}
