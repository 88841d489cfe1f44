// Launch arguments of row_softmax, shared by the template and the host. Plain data.
#pragma once

struct RowSoftmaxParams {
  const float* input;  // [rows, columns], rows `row_stride` elements apart
  float* output;       // likewise
  long long rows;
  long long row_stride;
  int columns;
};
