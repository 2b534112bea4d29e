// A kernel as the micro-kernels read it: windows of phases, cut into steps along the sum and blocks of columns.
#pragma once

#include <vector>

#include <tconv/plan.hpp>

#include "buffer.hpp"
#include "half.hpp"
#include "kernels/table.hpp"
#include "windows.hpp"

namespace tconv {

enum class Direction { forward, grad_input };

/// How a product is computed: panels of columns; few columns, with channels side by side; or, every channel being its
/// own group, channels as columns.
enum class Form { panels, dots, depthwise };

namespace detail {

/// A piece of the sum: some taps of a window, some channels of the source.
struct Step {
    Index first_tap, last_tap;          // [first, last)
    Index first_channel, last_channel;  // [first, last)
};

/// Columns that are computed together: part of a window's (member, target channel) pairs.
struct Block {
    Index window;   // its number
    Index first;    // the first column of the window that is here
    Index columns;  // how many are real
    Index width;    // sums of a row, in whole vectors
    Index panel;    // columns that are packed
    Index weights;  // where the panel begins: [step][tap][channel][panel], of dots [step][tap][panel][channel]
    Index bias;     // where its bias begins, among all blocks' widths
};

/// All of a packed kernel but its numbers.
struct Columns {
    Direction direction = Direction::forward;
    Index groups = 1, in_channels = 1, filters = 1;  // as the user counts
    std::vector<Axis> axes;                          // kernel, stride and dilation are meant
    Form form = Form::panels;
    Index product_groups = 1;                        // products of the same shape; 1 when depthwise, but of by_channel
    Index source_channels = 1, target_channels = 1;  // of a product
    PanelShape panel{};                              // of the micro-kernels
    Index block_columns = 1;                         // of all blocks but a window's last one
    std::vector<std::vector<Phase>> phases;          // [axis][live phase]
    std::vector<Window> windows;
    std::vector<std::vector<Step>> steps;     // [window][step]
    std::vector<Block> blocks;                // by window
    Index group_weights = 0, group_bias = 0;  // numbers from one product group to the next
    double time = 0;                          // of a row in all windows, in products, as their choice sees it
    bool thin = false;                        // so few channels that pixels may better be turned: see thin_in

    Columns(const Geometry<dynamic>& g, Direction direction, const PanelShape& panel);

    /// The same, depthwise, as a product of each channel, for planes.
    Columns by_channel() const;

    /// Throws ShapeError when the packed kernel doesn't fit the geometry.
    void demand_fit(const Geometry<dynamic>& g) const;
    bool fits(const Geometry<dynamic>& g) const;
    const Window& window_of(const Block& block) const { return windows[static_cast<std::size_t>(block.window)]; }
    const std::vector<Step>& steps_of(const Block& block) const {
        return steps[static_cast<std::size_t>(block.window)];
    }
    /// Numbers that a step has for each column, padding included.
    Index depth(const Step& step) const;
    /// Whether vectors along pixels, turned from channels side by side and back, take less time than vectors of
    /// channels, which are not full, where so many lanes are computed and so many pixels are turned for each row.
    bool thin_in(double lanes, double pixels) const;
    Index products(const Step& step) const { return (step.last_tap - step.first_tap) * depth(step); }
    Index products(const Block& block) const {
        Index all = 0;
        for (const Step& step : steps_of(block)) all += products(step);
        return all;
    }

  private:
    double cost(const std::vector<Window>& candidate, Form how) const;
    void choose_windows();
    void make_steps();
    void make_blocks();
};

/// Columns for the kernels of `isa`; for those of its `narrower` one, if they take less time, where it is Isa::best.
/// Few columns, channels first, and thin ones keep the best ones: their vectors lie along pixels.
template <class C>
Columns columns_for(const Geometry<dynamic>& g, Direction direction, Isa isa, DataFormat format);

template <class T>
class Packed : public Columns {
  public:
    using C = compute_t<T>;

    Packed(const Geometry<dynamic>& g, const T* kernel, Isa isa, DataFormat format);
    /// The same kernel, not depthwise, for other strides.
    Packed(const Geometry<dynamic>& g, const Packed& other);

    Isa wanted;  // as the user said
    const Kernels<C>* kernels;
    const Converters* converters;
    Buffer<C> weights;
    Buffer<C> zeros;     // a pixel outside the source
    bool finite = true;  // no infinity or NaN: zeros times weights are zeros
    Buffer<T> plain;     // the kernel as it was, for Algorithm::reference only

    /// Throws ShapeError when these weights cannot serve the geometry or the options.
    void demand_fit(const Geometry<dynamic>& g, const Options& options) const;

    /// The source channels [first, last) of the kernel as it was, not depthwise:
    /// [group][tap][source channel][target channel].
    void unpack(Index first, Index last, int threads, C* kernel) const;
    /// The numbers of one source channel of it.
    Index unpacked_channel() const;

  private:
    void fill(const T* kernel);
    void fill_block(const T* kernel, Index group, const Block& block);
};

}  // namespace detail
}  // namespace tconv
