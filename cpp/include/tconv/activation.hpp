// What the core can apply to a sum as it is stored.
#pragma once

namespace tconv {

/// A function of one number that is applied as the result is stored.
struct Activation {
    enum class Kind {
        linear,
        relu,
        relu6,
        leaky_relu,  // x < 0: alpha*x
        elu,         // x < 0: alpha*(exp(x)-1)
        selu,
        sigmoid,
        hard_sigmoid,  // clamp(x/6 + 1/2, 0, 1)
        tanh,
        silu,       // x*sigmoid(x)
        hard_silu,  // x*hard_sigmoid(x)
        exponential,
    };
    Kind kind = Kind::linear;
    double alpha = 0;  // leaky_relu, elu
};

}  // namespace tconv
