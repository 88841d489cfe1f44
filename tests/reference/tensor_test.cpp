#include "reference/tensor.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "support/catch.h"

using namespace attune;

namespace {

const HostTensor::Dims kDims{2, 3, 5, 7};

}  // namespace

TEST_CASE("dense strides of both layouts") {
  CHECK(HostTensor(DType::f16, kDims).strides() == HostTensor::Strides{105, 35, 7, 1});
  CHECK(HostTensor(DType::f16, kDims, Layout::bshd).strides() == HostTensor::Strides{105, 7, 21, 1});
  CHECK_THROWS_AS(HostTensor(DType::f16, kDims, Layout::strided), Error);
}

TEST_CASE("elements are where the strides say, rounded to the dtype") {
  for (const Layout layout : {Layout::bhsd, Layout::bshd}) {
    HostTensor tensor(DType::f32, kDims, layout);
    tensor.set(1, 2, 3, 4, 0.1);
    CHECK(tensor.at(1, 2, 3, 4) == static_cast<double>(0.1f));
    const auto& s = tensor.strides();
    float value = 0;
    std::memcpy(&value, tensor.storage().data() + 4 * (s[0] + 2 * s[1] + 3 * s[2] + 4), 4);
    CHECK(value == 0.1f);
  }
  HostTensor half(DType::bf16, {1, 1, 1, 1});
  half.set(0, 0, 0, 0, 0.1);
  CHECK(half.at(0, 0, 0, 0) == 0.10009765625);
}

TEST_CASE("random values depend on seed and index only, and are normal") {
  HostTensor dense(DType::f32, {2, 3, 50, 40});
  HostTensor other(DType::f32, {2, 3, 50, 40}, Layout::bshd, TensorPadding::fenced(DType::f32));
  dense.fill_random(7, 1, 2);
  other.fill_random(7, 1, 2);
  CHECK(dense.to_doubles() == other.to_doubles());
  other.fill_random(8, 1, 2);
  CHECK(dense.to_doubles() != other.to_doubles());

  double sum = 0, squares = 0;
  for (const double value : dense.to_doubles()) {
    sum += value;
    squares += (value - 1) * (value - 1);
  }
  const auto n = static_cast<double>(dense.element_count());
  CHECK(std::fabs(sum / n - 1) < 0.1);
  CHECK(std::fabs(std::sqrt(squares / n) - 2) < 0.1);
}

TEST_CASE("to_doubles, from_doubles and read_row agree") {
  HostTensor tensor(DType::f16, kDims, Layout::bshd, TensorPadding::fenced(DType::f16));
  tensor.fill_random(1);
  HostTensor copy(DType::f16, kDims);
  copy.from_doubles(tensor.to_doubles());
  CHECK(copy.to_doubles() == tensor.to_doubles());
  std::vector<float> row(7);
  tensor.read_row(1, 2, 4, row.data());
  for (int64_t j = 0; j < 7; ++j)
    CHECK(static_cast<double>(row[static_cast<size_t>(j)]) == copy.at(1, 2, 4, j));
  CHECK_THROWS_AS(copy.from_doubles(std::vector<double>(3)), Error);
}

TEST_CASE("padding leaves NaNs between rows, heads and batches and around all of them") {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
    for (const Layout layout : {Layout::bhsd, Layout::bshd}) {
      HostTensor tensor(dtype, kDims, layout, TensorPadding::fenced(dtype));
      for (const double value : tensor.to_doubles())
        CHECK(std::isnan(value));
      tensor.fill_random(3);
      for (const double value : tensor.to_doubles())
        CHECK(std::isfinite(value));
      CHECK(tensor.margins_intact());
      CHECK(std::isnan(tensor.at(0, 0, 0, -1)));
      CHECK(std::isnan(tensor.at(0, 0, 0, 7)));
      CHECK(std::isnan(tensor.at(1, 2, 4, 7)));
      CHECK(tensor.offset_bytes() % 256 == 0);
      CHECK(reinterpret_cast<uintptr_t>(tensor.view().data) % 256 == 0);
    }
  }
}

TEST_CASE("every byte written outside the elements is found") {
  HostTensor tensor(DType::bf16, {1, 2, 3, 5}, Layout::bhsd, TensorPadding::fenced(DType::bf16));
  tensor.fill(1);
  int outside = 0;
  for (std::byte& byte : tensor.storage()) {
    const std::byte before = byte;
    byte = std::byte{0};
    outside += !tensor.margins_intact();
    byte = before;
  }
  CHECK(outside == std::ssize(tensor.storage()) - 1 * 2 * 3 * 5 * 2);
  CHECK(tensor.margins_intact());
}

TEST_CASE("fenced rows are aligned like dense ones") {
  const TensorPadding padding = TensorPadding::fenced(DType::f16);
  const HostTensor tensor(DType::f16, {2, 2, 3, 64}, Layout::bshd, padding);
  for (size_t i = 0; i < 3; ++i)
    CHECK(tensor.strides()[i] * 2 % 16 == 0);
}

TEST_CASE("any strides, broadcasts too") {
  HostTensor tensor(DType::f32, {3, 2, 4, 5}, HostTensor::Strides{0, 40, 10, 2}, 16);
  tensor.fill_random(1);
  CHECK(tensor.at(0, 1, 2, 3) == tensor.at(2, 1, 2, 3));
  CHECK(tensor.margins_intact());
  HostTensor again(DType::f32, {3, 2, 4, 5}, HostTensor::Strides{0, 40, 10, 2}, 16);
  again.fill_random(1);
  CHECK(again.to_doubles() == tensor.to_doubles());
  CHECK_THROWS_AS(HostTensor(DType::f32, {1, 1, 1, 1}, HostTensor::Strides{-1, 1, 1, 1}, 0), Error);
}

TEST_CASE("the view points at the first element, here or in a copy") {
  HostTensor tensor(DType::f16, kDims, Layout::bhsd, TensorPadding::fenced(DType::f16));
  tensor.set(0, 0, 0, 0, 1);
  const TensorView view = tensor.view();
  uint16_t bits = 0;
  std::memcpy(&bits, view.data, 2);
  CHECK(bits == 0x3c00);
  CHECK(view.stride == tensor.strides());
  const std::vector<std::byte> bytes(tensor.storage().begin(), tensor.storage().end());
  std::memcpy(&bits, bytes.data() + tensor.offset_bytes(), 2);
  CHECK(bits == 0x3c00);
}

TEST_CASE("empty tensors have no elements and no trouble") {
  HostTensor tensor(DType::f16, {2, 3, 0, 7}, Layout::bhsd, TensorPadding::fenced(DType::f16));
  tensor.fill_random(1);
  CHECK(tensor.element_count() == 0);
  CHECK(tensor.to_doubles().empty());
  CHECK(tensor.margins_intact());
}
