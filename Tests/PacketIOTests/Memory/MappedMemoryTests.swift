import PacketIO
import Posix
import Testing

@Suite struct MappedMemoryTests {
    private static let meminfo = """
        MemTotal:       24684096 kB
        MemAvailable:   24080972 kB
        SwapTotal:         2048 kB
        HugePages_Total:      64
        HugePages_Free:       50
        HugePages_Rsvd:        8
        Hugepagesize:       2048 kB

        """

    @Test func whatTheMachineHasIsReadInBytesAndPages() throws {
        let state = try #require(MemoryState(meminfo: Self.meminfo))
        #expect(state.total == 24_684_096 << 10)
        #expect(state.available == 24_080_972 << 10)
        #expect(state.swap == 2 << 20)
        #expect(state.largePages == 64)
        #expect(state.freeLargePages == 42)
        #expect(state.largePageBytes == MappedMemory.largePage)
    }

    @Test(arguments: [
        "", "MemTotal: 5 kB\n", "MemAvailable: -3 kB\n", "MemAvailable: 99999999999999999999 kB",
    ])
    func aTextThatDoesNotSayWhatIsAvailableIsNothing(text: String) {
        #expect(MemoryState(meminfo: text) == nil)
    }

    private static let smaps = """
        55d0c8a00000-55d0c8a21000 rw-p 00000000 00:00 0    [heap]
        Rss:                 132 kB
        AnonHugePages:      4096 kB
        7f00a0000000-7f00a5400000 rw-p 00000000 00:00 0
        Size:              86016 kB
        AnonHugePages:     79872 kB
        VmFlags: rd wr mr mw me ac lo sd hg
        7f00a5400000-7f00a5600000 rw-p 00000000 00:00 0
        AnonHugePages:      2048 kB

        """

    @Test(arguments: [
        // The mapping alone; with its neighbour; a part of it, which holds no more than its size.
        (0x7f00_a000_0000, 0x7f00_a540_0000, 79872 << 10),
        (0x7f00_a000_0000, 0x7f00_a560_0000, 81920 << 10),
        (0x7f00_a020_0000, 0x7f00_a040_0000, 2 << 20), (0x1000, 0x2000, 0),
    ])
    func largePagesAreThoseOfTheMemorysOwnMappings(start: UInt64, end: UInt64, bytes: Int) {
        #expect(MemoryState.bytesInLargePages(of: start..<end, smaps: Self.smaps) == bytes)
    }

    @Test func memoryIsZeroAndAlignedFromTheStart() throws {
        let memory = try MappedMemory(bytes: 5 << 20)
        let (address, count) = unsafe (UInt(bitPattern: memory.base), memory.count)
        #expect(count == 5 << 20)
        #expect(address % UInt(MappedMemory.largePage) == 0)
        let bytes = unsafe UnsafeRawBufferPointer(start: memory.base, count: count)
        let isZero = unsafe bytes.allSatisfy { $0 == 0 }
        #expect(isZero)
        let large = memory.bytesInLargePages ?? 0
        #expect((0...count).contains(large))
    }

    @Test(arguments: [0, -1, Int.max])
    func aSizeThatCannotBeIsRefused(bytes: Int) {
        #expect(throws: SystemError.self) { _ = try TableMapping(bytes: bytes) }
    }

    @Test(arguments: [
        (84 << 20, 84 << 20, true, true, "84 MiB in reserved large pages, locked"),
        (84 << 20, 84 << 20, false, true, "84 MiB in transparent large pages, locked"),
        (
            84 << 20, 80 << 20, false, false,
            "84 MiB, 80 of them in transparent large pages, not locked"
        ),
        (84 << 20, 0, false, false, "84 MiB in small pages, not locked"),
    ])
    func statusNamesThePagesOfTheTable(
        bytes: Int, large: Int, isReserved: Bool, isLocked: Bool, text: String
    ) {
        #expect(
            TableMapping.pages(
                bytes: bytes, large: large, isReserved: isReserved, isLocked: isLocked) == text)
    }
}
