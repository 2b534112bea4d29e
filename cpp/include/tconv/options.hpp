// How a result is computed: values that a caller passes, never global state.
#pragma once

#include <memory_resource>
#include <string>
#include <vector>

#include <tconv/activation.hpp>
#include <tconv/export.hpp>
#include <tconv/isa.hpp>
#include <tconv/types.hpp>

namespace tconv {

enum class DataFormat {
    channels_last,   // (batch, spatial..., channels)
    channels_first,  // (batch, channels, spatial...)
};

enum class Algorithm {
    automatic,  // the one that a model of their times finds faster, by shapes and the instruction set alone
    direct,     // every product of the definition, none twice: exact about infinities and NaN
    fast,       // fewer products, by sums of pixels and of weights, where such an algorithm exists; else direct
    reference,  // naive loops: slow, obviously right
};

struct Options {
    int threads = 0;  // 0: TCONV_NUM_THREADS, else what OpenMP would use
    Isa isa = Isa::best;
    DataFormat data_format = DataFormat::channels_last;
    Activation activation{};
    Algorithm algorithm = Algorithm::automatic;
    bool once = false;  // a plan will serve one call: what it takes to prepare it counts for Algorithm::automatic
    // Where the memory comes from that a call takes and gives back, large pieces; it must outlive the plan, and serve
    // calls that run at the same time. Null: new and delete.
    std::pmr::memory_resource* memory = nullptr;
};

/// The instruction sets compiled in that this processor can run, best first.
TCONV_API std::vector<Isa> available_isas();
/// All instruction sets compiled in, best first.
TCONV_API std::vector<Isa> compiled_isas();
/// The one that Isa::best stands for.
TCONV_API Isa best_isa();
/// "generic", "avx2", ...; throws ShapeError for a name that isn't one.
TCONV_API const char* name(Isa isa);
TCONV_API Isa isa_from_name(const std::string& name);
/// "linear", "relu", ...; throws ShapeError for a name that isn't one.
TCONV_API Activation::Kind activation_from_name(const std::string& name);
/// What Options::threads = 0 stands for.
TCONV_API int default_threads();
/// Whether the library was built with OpenMP.
TCONV_API bool has_openmp();

}  // namespace tconv
