// A kernel packed once.
#include <optional>
#include <variant>

#include "arrays.hpp"
#include "pool.hpp"

namespace tconv::bindings {
namespace {

using Plans =
    std::variant<Plan<float, dynamic>, Plan<double, dynamic>, Plan<float16, dynamic>, Plan<bfloat16, dynamic>>;

Index numbers_of(const std::vector<Index>& shape) {
    Index product = 1;
    for (const Index extent : shape) product *= extent;
    return product;
}
void demand_size(const std::vector<Index>& shape, Index numbers, const char* argument) {
    if (numbers_of(shape) != numbers) throw ShapeError(std::string(argument) + " has another number of elements.");
}

class AnyRun;

/// A Plan of any storage type. Batch and extents are those of each call.
class AnyPlan {
  public:
    AnyPlan(const py::array& kernel, const std::vector<AxisTuple>& axes, Index groups, const std::string& dtype,
            bool channels_first, const std::string& isa, const std::string& algorithm)
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
        const Options options = make_options(0, isa, channels_first, algorithm);
        visit_dtype(dtype, [&](auto type) {
            using T = typename decltype(type)::type;
            const T* data = numbers<T>(kernel, kernel_shape(g), "kernel");
            const py::gil_scoped_release release;
            plan_.emplace(std::in_place_type<Plan<T, dynamic>>, g, data, options);
        });
    }

    /// The plan for inputs of one shape. The shapes are the user's: with a batch axis, or without.
    AnyRun at(std::vector<Index> x_shape, std::vector<Index> y_shape, const py::dtype& dtype, Index batch,
              const std::vector<AxisTuple>& axes, bool channels_first, const std::string& activation, double alpha,
              int threads, bool once) const;

    std::size_t packed_bytes() const {
        return std::visit([](const auto& plan) { return plan.packed_bytes(); }, *plan_);
    }

  private:
    Index groups_, in_channels_, filters_ = 0;
    std::optional<Plans> plan_;
};

/// A plan for inputs of one shape and dtype: what is left to do per call is to look at the arrays.
class AnyRun {
  public:
    AnyRun(Plans plan, std::vector<Index> x_shape, std::vector<Index> y_shape, Index filters, py::dtype dtype)
        : plan_(std::move(plan)),
          x_shape_(std::move(x_shape)),
          y_shape_(std::move(y_shape)),
          bias_shape_{filters},
          dtype_(std::move(dtype)) {}

    /// The result, in `out` or in a new array; None when x or bias isn't exactly what this is for. `out` must be.
    py::object operator()(const py::handle& x, const py::handle& bias, const py::handle& out) const {
        if (!fits(x, x_shape_) || !(bias.is_none() || fits(bias, bias_shape_))) return py::none();
        if (!out.is_none() && !(fits(out, y_shape_) && flag(out, py::detail::npy_api::NPY_ARRAY_WRITEABLE_)))
            throw ShapeError("out is not a writable array of the result's shape and dtype.");
        py::object y = out.is_none() ? pool::empty(dtype_, y_shape_.data(), static_cast<int>(y_shape_.size()))
                                     : py::reinterpret_borrow<py::object>(out);
        std::visit(
            [&]<class T>(const Plan<T, dynamic>& plan) {
                const auto* from = static_cast<const T*>(data(x));
                const auto* offsets = bias.is_none() ? nullptr : static_cast<const T*>(data(bias));
                auto* to = static_cast<T*>(data(y));
                const py::gil_scoped_release release;
                plan(from, offsets, to);
            },
            plan_);
        return y;
    }

    py::tuple y_shape() const { return py::tuple(py::cast(y_shape_)); }
    /// Threads, bytes of packed and of transformed weights and of workspace, stages of (costs, bytes).
    py::tuple schedule() const {
        const Schedule s = std::visit([](const auto& plan) { return plan.schedule(); }, plan_);
        py::list stages;
        for (const Stage& stage : s.stages) stages.append(py::make_tuple(stage.costs, stage.bytes));
        return py::make_tuple(s.threads, s.packed_bytes, s.transformed_bytes, s.workspace_bytes, stages);
    }
    std::string describe() const {
        return std::visit([](const auto& plan) { return plan.describe(); }, plan_);
    }

  private:
    static void* data(const py::handle& array) { return py::detail::array_proxy(array.ptr())->data; }
    static bool flag(const py::handle& array, int wanted) {
        return (py::detail::array_proxy(array.ptr())->flags & wanted) == wanted;
    }
    bool fits(const py::handle& array, const std::vector<Index>& shape) const {
        if (!py::detail::npy_api::get().PyArray_Check_(array.ptr())) return false;
        const auto* proxy = py::detail::array_proxy(array.ptr());
        bool same = proxy->descr == dtype_.ptr() && proxy->nd == static_cast<int>(shape.size()) &&
                    flag(array, int(py::array::c_style) | int(py::detail::npy_api::NPY_ARRAY_ALIGNED_));
        for (std::size_t i = 0; same && i < shape.size(); ++i) same = proxy->dimensions[i] == shape[i];
        return same;
    }

    Plans plan_;
    std::vector<Index> x_shape_, y_shape_, bias_shape_;
    py::dtype dtype_;
};

AnyRun AnyPlan::at(std::vector<Index> x_shape, std::vector<Index> y_shape, const py::dtype& dtype, Index batch,
                   const std::vector<AxisTuple>& axes, bool channels_first, const std::string& activation, double alpha,
                   int threads, bool once) const {
    const Geometry<dynamic> g = make_geometry(batch, in_channels_, filters_, groups_, axes);
    check(g);
    return std::visit(
        [&]<class T>(const Plan<T, dynamic>& plan) {
            Options options = plan.options();
            options.threads = threads;
            options.once = once;
            options.data_format = channels_first ? DataFormat::channels_first : DataFormat::channels_last;
            options.activation = {activation_from_name(activation), alpha};
            demand_size(x_shape, numbers_of(input_shape(g, options.data_format)), "x");
            demand_size(y_shape, numbers_of(output_shape_in(g, options.data_format)), "y");
            if (dtype.itemsize() != static_cast<py::ssize_t>(sizeof(T))) throw py::type_error("dtype is another.");
            return AnyRun(plan.at(g, options), std::move(x_shape), std::move(y_shape), filters_, dtype);
        },
        *plan_);
}

}  // namespace

void register_plan(py::module_& module) {
    py::class_<AnyPlan>(module, "Plan")
        .def(py::init<const py::array&, const std::vector<AxisTuple>&, Index, const std::string&, bool,
                      const std::string&, const std::string&>(),
             py::arg("kernel"), py::kw_only(), py::arg("axes"), py::arg("groups"), py::arg("dtype"),
             py::arg("channels_first"), py::arg("isa"), py::arg("algorithm"))
        .def("at", &AnyPlan::at, py::kw_only(), py::arg("x_shape"), py::arg("y_shape"), py::arg("dtype"),
             py::arg("batch"), py::arg("axes"), py::arg("channels_first"), py::arg("activation"), py::arg("alpha"),
             py::arg("threads"), py::arg("once"))
        .def_property_readonly("packed_bytes", &AnyPlan::packed_bytes);
    py::class_<AnyRun>(module, "Run")
        .def("__call__", &AnyRun::operator(), py::arg("x"), py::arg("bias"), py::arg("out"))
        .def_property_readonly("y_shape", &AnyRun::y_shape)
        .def("schedule", &AnyRun::schedule)
        .def("describe", &AnyRun::describe);
}

}  // namespace tconv::bindings
