/// What the first bytes of a program's file say about how it is started.
///
/// A library can be put before a program only when the C library's loader starts it, for the same
/// machine, and when it makes its system calls by the C library.
package struct ProgramFile: Hashable {
    /// Bytes to look at: headers and notes are at the beginning of every file in use.
    package static let firstBytes = 65536

    /// Class and machine of an ELF file; nil for scripts and everything else.
    package var machine: Machine?
    /// Whether the program names a loader.
    package var isDynamic = false
    /// Whether Go made it, whose programs make system calls without the C library.
    package var isGo = false

    /// For what machine a program is made.
    package struct Machine: Hashable {
        /// 1 for 32 bits, 2 for 64.
        package var wordClass: UInt8
        package var number: UInt16
    }

    /// Types of program headers (elf(5)).
    private enum Header {
        static let loader: UInt32 = 3
        static let note: UInt32 = 4
    }

    package init(_ bytes: [UInt8]) {
        let file = ELFBytes(bytes)
        guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]), let wordClass = file[4, 1],
            let number = file[18, 2]
        else { return }
        machine = Machine(
            wordClass: UInt8(truncatingIfNeeded: wordClass),
            number: UInt16(truncatingIfNeeded: number))
        let isWide = wordClass == 2
        guard let start = isWide ? file[32, 8] : file[28, 4],
            let size = file[isWide ? 54 : 42, 2], let count = file[isWide ? 56 : 44, 2], size > 0
        else { return }
        for index in 0..<count {
            let header = start &+ index &* size
            guard let kind = file[header, 4] else { return }
            if kind == Header.loader { isDynamic = true }
            if kind == Header.note, let at = isWide ? file[header &+ 8, 8] : file[header &+ 4, 4] {
                // The name follows the sizes of name and contents, and the type.
                isGo = isGo || file[at &+ 12, 4] == 0x006f_47
            }
        }
    }

    /// Why a library cannot be put before the program; nil when it can.
    package func complaint(besides library: ProgramFile) -> String? {
        guard let machine else { return nil }
        if machine != library.machine { return "is made for another machine than the library" }
        if !isDynamic { return "is linked statically: no library can be put before it" }
        if isGo { return "is written in Go: it makes system calls without the C library" }
        return nil
    }
}

/// Little-endian numbers at offsets of a file that may be anything.
private struct ELFBytes {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The number of this many bytes at an offset; nil beyond the end.
    subscript(offset: UInt64, count: UInt64) -> UInt64? {
        guard offset <= UInt64(bytes.count), UInt64(bytes.count) - offset >= count else {
            return nil
        }
        return (0..<count).reduce(0) { $0 | UInt64(bytes[Int(offset + $1)]) << (8 * $1) }
    }
}
