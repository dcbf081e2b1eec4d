import Control
import Testing

/// Which programs a library can be put before.
struct ProgramFileTests {
    /// An ELF file of 64 bits with program headers of these kinds and a note of this name.
    private func file(
        _ kinds: [UInt8], note: String = "GNU", wordClass: UInt8 = 2, machine: UInt8 = 62
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64 + 56 * kinds.count)
        bytes[0..<4] = [0x7f, 0x45, 0x4c, 0x46]
        bytes[4] = wordClass
        bytes[18] = machine
        bytes[32] = 64
        bytes[54] = 56
        bytes[56] = UInt8(kinds.count)
        for (index, kind) in kinds.enumerated() {
            bytes[64 + 56 * index] = kind
            bytes[64 + 56 * index + 8] = UInt8(bytes.count)
        }
        bytes += [4, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]
        bytes += Array((note + "\0\0\0\0").utf8.prefix(4))
        return bytes
    }

    private var library: ProgramFile { ProgramFile(file([1])) }

    @Test func aProgramWithALoaderIsTaken() {
        #expect(ProgramFile(file([1, 3, 4])).complaint(besides: library) == nil)
    }

    @Test func aScriptIsTaken() {
        #expect(ProgramFile(Array("#!/bin/sh\n".utf8)).complaint(besides: library) == nil)
        #expect(ProgramFile([]).complaint(besides: library) == nil)
    }

    @Test func aStaticProgramIsRefused() {
        let complaint = ProgramFile(file([1, 4])).complaint(besides: library)
        #expect(complaint?.contains("linked statically") == true)
    }

    @Test func aProgramOfGoIsRefused() {
        let complaint = ProgramFile(file([3, 4], note: "Go")).complaint(besides: library)
        #expect(complaint?.contains("written in Go") == true)
    }

    @Test func aProgramForAnotherMachineIsRefused() {
        for other in [file([3], machine: 183), file([3], wordClass: 1, machine: 3)] {
            let complaint = ProgramFile(other).complaint(besides: library)
            #expect(complaint?.contains("another machine") == true)
        }
    }

    @Test func aFileThatEndsAnywhereIsReadAsFarAsItGoes() {
        let whole = file([1, 3, 4], note: "Go")
        for length in whole.indices {
            _ = ProgramFile(Array(whole[..<length])).complaint(besides: library)
        }
        // Headers said to lie beyond every end.
        var strange = whole
        strange.replaceSubrange(32..<40, with: [UInt8](repeating: 0xff, count: 8))
        strange.replaceSubrange(54..<58, with: [UInt8](repeating: 0xff, count: 4))
        #expect(ProgramFile(strange).isDynamic == false)
    }
}
