internal import CPosix

/// How much memory the machine has left.
package enum FreeMemory {
    /// Free and buffer pages, what IPVS measures its need by; nil when the kernel does not say.
    package static var pages: Int? {
        let pages = cposix_free_pages()
        return pages < 0 ? nil : Int(pages)
    }
}
