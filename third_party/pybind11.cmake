# pybind11 (BSD-3-Clause): the bindings of the Python extension; headers only, nothing of it is in the C++ library.
# Found in the Python environment of the build, where pyproject.toml's build requirements put it.
find_package(Python 3.10 REQUIRED COMPONENTS Interpreter Development.Module)
find_package(pybind11 2.13 CONFIG REQUIRED)
