// Near: what is known of a problem's static fields in other buckets, and how far from the problem it is.
#pragma once

#include <string>
#include <vector>

#include "db/record.h"
#include "problem/problem.h"

namespace attune {

// |Δlog2| of Nq, of Nk and of waves between the problem and the shape a record has measured, added up: 0 for
// the same shape, 1 for twice as many keys. Both are of one device, so its multiprocessors cancel out.
double log2_distance(const Problem& problem, const Record& record);

// The records of one bucket.
struct NearBucket {
  double distance = 0;  // of the nearest shape that was timed in it
  std::string bucket;
  std::vector<Record> records;  // ascending by id, as rank() wants them
};

// `records` by their buckets, nearest first, ties by the bucket's text; those of `own_bucket`, where a match
// would be exact, and buckets where nothing was timed are left out. `records` ascend by id and are of the
// problem's static key on one device.
std::vector<NearBucket> near_buckets(const std::vector<Record>& records, const Problem& problem,
                                     const std::string& own_bucket);

}  // namespace attune
