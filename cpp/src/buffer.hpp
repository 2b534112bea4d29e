// Memory for numbers that are written before they are read.
#pragma once

#include <cstddef>
#include <limits>
#include <memory_resource>
#include <new>
#include <utility>

#include <tconv/types.hpp>

#include "pages.hpp"

namespace tconv {

/// Uninitialised numbers at a cache line's boundary, from a resource or, if that is null, the system; throws
/// std::bad_alloc.
template <class T>
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(Index count, std::pmr::memory_resource* memory = nullptr) : memory_(memory), count_(count) {
        if (count < 0 || static_cast<std::size_t>(count) > std::numeric_limits<std::size_t>::max() / 2 / sizeof(T)) {
            throw std::bad_alloc();
        }
        if (memory_ != nullptr) {
            data_ = static_cast<T*>(memory_->allocate(bytes(), alignment));
        } else {
            data_ = static_cast<T*>(::operator new(bytes(), std::align_val_t{alignment}));
            prefer_large_pages(data_, bytes());
        }
    }
    Buffer(Buffer&& other) noexcept
        : memory_(other.memory_), data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(memory_, other.memory_);
        std::swap(data_, other.data_);
        std::swap(count_, other.count_);
        return *this;
    }
    ~Buffer() {
        if (data_ == nullptr) return;
        if (memory_ != nullptr) {
            memory_->deallocate(data_, bytes(), alignment);
        } else {
            ::operator delete(data_, std::align_val_t{alignment});
        }
    }

    T* data() { return data_; }
    const T* data() const { return data_; }
    Index size() const { return count_; }
    T& operator[](Index i) { return data_[i]; }
    const T& operator[](Index i) const { return data_[i]; }

  private:
    static constexpr std::size_t alignment = 64;
    std::size_t bytes() const { return static_cast<std::size_t>(count_) * sizeof(T); }

    std::pmr::memory_resource* memory_ = nullptr;
    T* data_ = nullptr;
    Index count_ = 0;
};

}  // namespace tconv
