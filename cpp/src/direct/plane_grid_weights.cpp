// Which weights are turned for a call of planes, and where they are then.
#include "direct/plane_grid.hpp"

#include "checked.hpp"

namespace tconv {
namespace {

constexpr Index kept_bytes = 16 << 10;   // of weights that stay in a first cache as they are packed
constexpr Index turned_bytes = 1 << 20;  // of weights that are turned for a call, at most
constexpr Index turned_rows = 512;       // that make the time for it short
constexpr Index vectors_together = 16;   // numbers: a multiple of any vector's

}  // namespace

// Columns that are computed together come from many blocks, whose panels have as little of them in each line of a
// cache.
void PlaneGrid::place_turned(Index sum_bytes) {
    Index all_rows = batch;
    for (const Index n : rows) all_rows *= n;
    const Index packed = columns.group_weights * sum_bytes;
    const bool apart = columns.form == Form::depthwise;  // packed side by side with other products
    if (!apart && (columns.form != Form::panels || all_rows < turned_rows || packed <= kept_bytes)) return;
    for (const detail::Block& block : columns.blocks) {
        turned.push_back(turned_numbers);
        turned_numbers += block.panel * turned_step(block);
    }
    if (apart || turned_numbers * columns.product_groups * sum_bytes <= turned_bytes) return;
    turned.clear();
    turned_numbers = 0;
}

Index PlaneGrid::turned_step(const detail::Block& block) const {
    const Index products = columns.products(block);
    return columns.form == Form::depthwise ? products : round_up(products, vectors_together) + vectors_together / 4;
}

}  // namespace tconv
