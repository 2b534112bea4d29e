// Direct or fast, and how: a model of their times, by shapes and the instruction set alone.
#pragma once

#include <optional>
#include <string>

#include "fast/columns.hpp"

namespace tconv {

/// Times of a call in products, those that a vector unit computes at its best.
struct FastTimes {
    double direct = 0, fast = 0;
};

struct FastDecision {
    std::optional<FastChoice> choice;  // none: direct
    FastTimes times;
    std::string why;  // for people
};

/// The fastest way for rows given by the maps. `kept` says that the transformed kernel serves many calls, so that one
/// need not pay for it.
FastDecision decide(const detail::Columns& columns, const std::vector<AxisMap>& maps, Index batch, Index sum_bytes,
                    DataFormat format, Algorithm algorithm, bool kept);

}  // namespace tconv
