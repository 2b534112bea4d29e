// tconv: transposed convolutions of any rank on CPUs. Include this.
#pragma once

#include <tconv/activation.hpp>
#include <tconv/conv_transpose.hpp>
#include <tconv/error.hpp>
#include <tconv/export.hpp>
#include <tconv/geometry.hpp>
#include <tconv/isa.hpp>
#include <tconv/options.hpp>
#include <tconv/plan.hpp>
#include <tconv/schedule.hpp>
#include <tconv/types.hpp>
#include <tconv/version.hpp>
