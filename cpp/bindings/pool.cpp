#include "pool.hpp"

#include <atomic>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace tconv::bindings::pool {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t huge_page = std::size_t(2) << 20;
constexpr std::size_t smallest = std::size_t(64) << 10;  // below, NumPy's own memory is as good
constexpr std::size_t spare = 8;                         // a piece may be larger than asked by 1/8

struct Piece {
    void* memory = nullptr;
    std::size_t bytes = 0;
};

#ifdef __linux__

Piece allocate(std::size_t bytes) {
    const std::size_t slack = bytes >= huge_page ? huge_page : 0;
    void* mapped = mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    if (slack == 0) return {mapped, bytes};
    char* first = static_cast<char*>(mapped);
    const std::size_t before = (huge_page - reinterpret_cast<std::size_t>(first) % huge_page) % huge_page;
    if (before > 0) munmap(first, before);
    if (slack > before) munmap(first + before + bytes, slack - before);
    madvise(first + before, bytes, MADV_HUGEPAGE);  // a wish: it may be refused
    return {first + before, bytes};
}
void release(Piece piece) noexcept { munmap(piece.memory, piece.bytes); }

#else

Piece allocate(std::size_t bytes) { return {::operator new(bytes, std::align_val_t(page)), bytes}; }
void release(Piece piece) noexcept { ::operator delete(piece.memory, std::align_val_t(page)); }

#endif

class Pool {
  public:
    Piece take(std::size_t bytes) {
        bytes = (bytes + page - 1) / page * page;
        if (const std::unique_lock lock(mutex_, std::try_to_lock); lock) {
            for (auto piece = pieces_.rbegin(); piece != pieces_.rend(); ++piece) {
                if (piece->bytes < bytes || piece->bytes - bytes > bytes / spare) continue;
                const Piece found = *piece;
                pieces_.erase(std::next(piece).base());
                kept_ -= found.bytes;
                return found;
            }
        }
        return allocate(bytes);
    }

    void give(Piece piece) noexcept {
        std::vector<Piece> old;
        try {
            if (const std::unique_lock lock(mutex_, std::try_to_lock); lock && piece.bytes <= limit_) {
                old.reserve(pieces_.size());
                pieces_.push_back(piece);
                kept_ += piece.bytes;
                piece.memory = nullptr;
                drop_oldest(old);
            }
        } catch (const std::bad_alloc&) {  // no room to note it: the system gets it back
        }
        if (piece.memory != nullptr) release(piece);
        for (const Piece& each : old) release(each);
    }

    void set_limit(std::size_t bytes) {
        std::vector<Piece> old;
        {
            const std::lock_guard lock(mutex_);
            old.reserve(pieces_.size());
            limit_ = bytes;
            drop_oldest(old);
        }
        for (const Piece& each : old) release(each);
    }

    std::size_t limit() const { return limit_; }
    std::size_t kept() const { return kept_; }

  private:
    void drop_oldest(std::vector<Piece>& old) {
        while (kept_ > limit_) {
            old.push_back(pieces_.front());
            kept_ -= pieces_.front().bytes;
            pieces_.pop_front();
        }
    }

    std::mutex mutex_;
    std::deque<Piece> pieces_;  // the least recently used first
    std::atomic<std::size_t> limit_{std::size_t(256) << 20}, kept_{0};
};

/// Never destroyed: arrays may outlive whatever the process destroys at its end.
Pool& shared() {
    static Pool* const pool = new Pool;
    return *pool;
}

constexpr std::size_t large = std::size_t(1) << 20;  // below, what calls take the system keeps for them
constexpr std::size_t header = 64;                   // before a large piece: how large the pool's piece is

class Resource : public std::pmr::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (bytes < large || alignment > header) return ::operator new(bytes, std::align_val_t(alignment));
        if (bytes > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();
        const Piece piece = shared().take(bytes + header);
        *static_cast<std::size_t*>(piece.memory) = piece.bytes;
        return static_cast<char*>(piece.memory) + header;
    }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
        if (bytes < large || alignment > header) return ::operator delete(memory, std::align_val_t(alignment));
        void* const first = static_cast<char*>(memory) - header;
        shared().give({first, *static_cast<std::size_t*>(first)});
    }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

void give_back(PyObject* capsule) {
    void* memory = PyCapsule_GetPointer(capsule, nullptr);
    shared().give({memory, reinterpret_cast<std::size_t>(PyCapsule_GetContext(capsule))});
}

}  // namespace

namespace {

/// Bytes of an array; more than can be addressed become a number that nothing can allocate.
std::size_t bytes_of(const py::dtype& dtype, const py::ssize_t* shape, int rank) {
    constexpr auto most = static_cast<std::size_t>(std::numeric_limits<py::ssize_t>::max());
    std::size_t bytes = static_cast<std::size_t>(dtype.itemsize());
    for (int i = 0; i < rank; ++i) {
        if (shape[i] == 0) return 0;
        bytes = bytes > most / static_cast<std::size_t>(shape[i]) ? most : bytes * static_cast<std::size_t>(shape[i]);
    }
    return bytes;
}

[[noreturn]] void refuse(const py::dtype& dtype, const py::ssize_t* shape, int rank) {
    std::string text = "a result of shape (";
    for (int i = 0; i < rank; ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
    text += std::string(rank == 1 ? ",)" : ")") + " and dtype " + std::string(py::str(dtype)) + " cannot be allocated.";
    PyErr_SetString(PyExc_MemoryError, text.c_str());
    throw py::error_already_set();
}

}  // namespace

py::array empty(const py::dtype& dtype, const py::ssize_t* shape, int rank) {
    auto& numpy = py::detail::npy_api::get();
    const std::size_t bytes = bytes_of(dtype, shape, rank);
    py::object base;
    void* memory = nullptr;
    if (bytes >= smallest) {
        Piece piece;
        try {
            piece = shared().take(bytes);
        } catch (const std::bad_alloc&) {
            refuse(dtype, shape, rank);
        }
        memory = piece.memory;
        base = py::reinterpret_steal<py::object>(PyCapsule_New(memory, nullptr, give_back));
        if (!base || PyCapsule_SetContext(base.ptr(), reinterpret_cast<void*>(piece.bytes)) != 0) {
            if (!base) release(piece);
            throw py::error_already_set();
        }
    }
    py::dtype owned = dtype;  // the constructor takes a reference
    auto array = py::reinterpret_steal<py::array>(numpy.PyArray_NewFromDescr_(
        numpy.PyArray_Type_, owned.release().ptr(), rank, reinterpret_cast<const Py_intptr_t*>(shape), nullptr, memory,
        memory == nullptr ? 0 : py::detail::npy_api::NPY_ARRAY_WRITEABLE_, nullptr));
    if (!array) throw py::error_already_set();
    if (base) numpy.PyArray_SetBaseObject_(array.ptr(), base.release().ptr());
    return array;
}

std::pmr::memory_resource* resource() {
    static Resource* const resource = new Resource;
    return resource;
}

std::size_t limit() { return shared().limit(); }
std::size_t kept() { return shared().kept(); }
void set_limit(std::size_t bytes) { shared().set_limit(bytes); }

}  // namespace tconv::bindings::pool
