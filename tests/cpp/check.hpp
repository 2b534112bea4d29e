// A test harness: tests register themselves, checks count and go on, a failure names what was being examined.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace harness {

struct Test {
    std::string name;
    std::function<void()> run;
};

std::vector<Test>& tests();

/// Adds one test for each function of each table of kernels.
void register_kernels();

struct Registration {
    Registration(std::string name, std::function<void()> run) { tests().push_back({std::move(name), std::move(run)}); }
};

/// Counts a check, and reports it with the current subjects if it failed. Returns `ok`.
bool that(bool ok, const std::string& what, const char* file, int line);

/// What is being examined while this object lives; failures print all subjects, outermost first.
class Subject {
  public:
    explicit Subject(std::string text);
    ~Subject();
    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;
};

/// "" if `run` throws an E whose message contains every one of `words`; else what it did instead.
template <class E, class Run>
std::string throws(const Run& run, const std::vector<std::string>& words) {
    try {
        run();
    } catch (const E& error) {
        const std::string message = error.what();
        for (const std::string& word : words) {
            if (message.find(word) == std::string::npos) return "said \"" + message + "\", without \"" + word + "\"";
        }
        return "";
    } catch (const std::exception& error) {
        return std::string("threw something else: ") + error.what();
    }
    return "threw nothing";
}

/// The number of failed checks so far.
std::size_t failures();

}  // namespace harness

#define CHECK_JOIN_(a, b) a##b
#define CHECK_NAME_(a, b) CHECK_JOIN_(a, b)

/// TEST("room/what holds") { ... }
#define TEST(name)                                                                                               \
    static void CHECK_NAME_(test_, __LINE__)();                                                                  \
    static const harness::Registration CHECK_NAME_(registration_, __LINE__)(name, CHECK_NAME_(test_, __LINE__)); \
    static void CHECK_NAME_(test_, __LINE__)()

#define CHECK(...) harness::that(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
#define CHECK_MESSAGE(ok, message) harness::that(static_cast<bool>(ok), message, __FILE__, __LINE__)

/// CHECK_THROWS(Error, expression, words that the message must contain...)
#define CHECK_THROWS(Error, expression, ...)                                                                    \
    do {                                                                                                        \
        const std::string did_ = harness::throws<Error>([&] { static_cast<void>(expression); }, {__VA_ARGS__}); \
        harness::that(did_.empty(), #expression " must throw " #Error " but " + did_, __FILE__, __LINE__);      \
    } while (false)
