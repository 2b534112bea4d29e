#include "layout.hpp"

namespace tconv {

Layout::Layout(DataFormat format, Index channels, const std::vector<Index>& extents) : axes(extents.size()) {
    const bool last = format == DataFormat::channels_last;
    Index step = last ? channels : 1;
    for (std::size_t a = extents.size(); a-- > 0; step *= extents[a]) axes[a] = step;
    channel = last ? 1 : step;
    batch = last ? step : step * channels;
}

}  // namespace tconv
