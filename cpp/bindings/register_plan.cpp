// A kernel packed once.
#include <optional>
#include <variant>

#include "arrays.hpp"

namespace tconv::bindings {
namespace {

/// A Plan of any storage type. Batch and extents are those of each call.
class AnyPlan {
  public:
    AnyPlan(const py::array& kernel, const std::vector<AxisTuple>& axes, Index groups, const std::string& dtype,
            const std::string& isa, const std::string& algorithm)
        : groups_(groups), in_channels_(extent(kernel, -1, "kernel")) {
        const Index per_group = extent(kernel, -2, "kernel");
        if (groups > 0 && per_group > std::numeric_limits<Index>::max() / groups) {
            throw ShapeError("conv_transpose: groups=" + std::to_string(groups) + " is too large.");
        }
        filters_ = per_group * groups;
        std::vector<AxisTuple> unit = axes;  // a plan is packed for no extent in particular
        for (AxisTuple& axis : unit) axis = {1, 1, axis[2], axis[3], axis[4], 0};
        const Geometry<dynamic> g = make_geometry(1, in_channels_, filters_, groups, unit);
        check(g);
        const Options options = make_options(0, isa, false, algorithm);
        visit_dtype(dtype, [&](auto type) {
            using T = typename decltype(type)::type;
            const T* data = numbers<T>(kernel, kernel_shape(g), "kernel");
            const py::gil_scoped_release release;
            plan_.emplace(std::in_place_type<Plan<T, dynamic>>, g, data, options);
        });
    }

    void run(const py::array& x, const std::optional<py::array>& bias, py::array& y, const std::vector<AxisTuple>& axes,
             bool channels_first, const std::string& activation, double alpha, int threads) const {
        std::visit(
            [&]<class T>(const Plan<T, dynamic>& plan) {
                const Options options = options_of(plan, channels_first, activation, alpha, threads);
                const Geometry<dynamic> g = geometry(extent(x, 0, "x"), axes);
                check(g);
                const T* x_numbers = numbers<T>(x, input_shape(g, options.data_format), "x");
                const T* bias_numbers = bias ? numbers<T>(*bias, {filters_}, "bias") : nullptr;
                T* y_numbers = writable_numbers<T>(y, output_shape_in(g, options.data_format), "y");
                const py::gil_scoped_release release;
                plan.at(g, options)(x_numbers, bias_numbers, y_numbers);
            },
            *plan_);
    }

    std::size_t packed_bytes() const {
        return std::visit([](const auto& plan) { return plan.packed_bytes(); }, *plan_);
    }

    std::string describe(Index batch, const std::vector<AxisTuple>& axes, bool channels_first, int threads) const {
        return std::visit(
            [&](const auto& plan) {
                return plan.at(geometry(batch, axes), options_of(plan, channels_first, "linear", 0, threads))
                    .describe();
            },
            *plan_);
    }

  private:
    Geometry<dynamic> geometry(Index batch, const std::vector<AxisTuple>& axes) const {
        return make_geometry(batch, in_channels_, filters_, groups_, axes);
    }

    template <class AnyPlanOfType>
    static Options options_of(const AnyPlanOfType& plan, bool channels_first, const std::string& activation,
                              double alpha, int threads) {
        Options options = plan.options();
        options.threads = threads;
        options.data_format = channels_first ? DataFormat::channels_first : DataFormat::channels_last;
        options.activation = {activation_from_name(activation), alpha};
        return options;
    }

    Index groups_, in_channels_, filters_ = 0;
    std::optional<
        std::variant<Plan<float, dynamic>, Plan<double, dynamic>, Plan<float16, dynamic>, Plan<bfloat16, dynamic>>>
        plan_;
};

}  // namespace

void register_plan(py::module_& module) {
    py::class_<AnyPlan>(module, "Plan")
        .def(py::init<const py::array&, const std::vector<AxisTuple>&, Index, const std::string&, const std::string&,
                      const std::string&>(),
             py::arg("kernel"), py::kw_only(), py::arg("axes"), py::arg("groups"), py::arg("dtype"), py::arg("isa"),
             py::arg("algorithm"))
        .def("run", &AnyPlan::run, py::arg("x"), py::arg("bias").none(true), py::arg("y"), py::kw_only(),
             py::arg("axes"), py::arg("channels_first"), py::arg("activation"), py::arg("alpha"), py::arg("threads"))
        .def_property_readonly("packed_bytes", &AnyPlan::packed_bytes)
        .def("describe", &AnyPlan::describe, py::kw_only(), py::arg("batch"), py::arg("axes"),
             py::arg("channels_first"), py::arg("threads"));
}

}  // namespace tconv::bindings
