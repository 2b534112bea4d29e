// tconv_tests [--list] [BEGIN...]: runs, or lists, the tests whose names begin with one of the arguments; all without.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "check.hpp"

namespace harness {
namespace {

constexpr std::size_t shown_per_test = 12;
std::vector<std::string> subjects;
std::size_t checks = 0, failed = 0, failed_in_test = 0;

bool chosen(const std::string& name, int count, char** begins) {
    return count == 0 ||
           std::any_of(begins, begins + count, [&](const char* begin) { return name.rfind(begin, 0) == 0; });
}

void run(const Test& test) {
    failed_in_test = 0;
    try {
        test.run();
    } catch (const std::exception& error) {
        that(false, std::string("uncaught exception: ") + error.what(), test.name.c_str(), 0);
        subjects.clear();
    }
    std::printf("%s %s\n", failed_in_test == 0 ? "ok    " : "FAILED", test.name.c_str());
    std::fflush(stdout);
}

}  // namespace

std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

bool that(bool ok, const std::string& what, const char* file, int line) {
    ++checks;
    if (ok) return true;
    ++failed;
    if (++failed_in_test <= shown_per_test) {
        std::printf("%s:%d: %s\n", file, line, what.c_str());
        for (const std::string& subject : subjects) std::printf("    in %s\n", subject.c_str());
    } else if (failed_in_test == shown_per_test + 1) {
        std::printf("    (and more in this test)\n");
    }
    return false;
}

Subject::Subject(std::string text) { subjects.push_back(std::move(text)); }
Subject::~Subject() {
    if (std::uncaught_exceptions() == 0) {
        subjects.pop_back();  // an exception passing by leaves them, to be printed where it is caught
    }
}

std::size_t failures() { return failed; }

}  // namespace harness

int main(int count, char** arguments) {
    const bool list = count > 1 && std::strcmp(arguments[1], "--list") == 0;
    harness::register_kernels();
    auto all = harness::tests();
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    std::size_t ran = 0;
    for (const harness::Test& test : all) {
        if (!harness::chosen(test.name, count - 1 - list, arguments + 1 + list)) continue;
        ++ran;
        if (list) {
            std::printf("%s\n", test.name.c_str());
        } else {
            harness::run(test);
        }
    }
    if (!list) std::printf("%zu tests, %zu checks, %zu failed\n", ran, harness::checks, harness::failed);
    return ran > 0 && harness::failed == 0 ? 0 : 1;
}
