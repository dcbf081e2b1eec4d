import LVS
import PacketIO
import Posix
import Testing

/// A directory in memory of a test's own, which goes with it.
private final class Shelf {
    let path: String

    init() throws {
        path = "/dev/shm/test-\(Identity.process)-\(UInt64.random(in: 0 ... .max))"
        try Files.makeDirectory(path)
    }

    deinit {
        for name in Files.list(path) { Files.remove("\(path)/\(name)") }
        Files.removeDirectory(path)
    }

    var file: String { path + "/table" }
}

@Suite struct SharedMemoryTests {
    private static let home = TableHome(boot: 1, bootToo: 2, network: 3)

    @Test func `What is written stays when the owner ends`() throws {
        let shelf = try Shelf()
        do {
            let memory = try SharedMemory(path: shelf.file, bytes: 3 << 20)
            let (isNew, count) = (memory.isNew, memory.count)
            #expect(isNew && count == 4 << 20)
            let isZero = unsafe UnsafeRawBufferPointer(start: memory.base, count: memory.count)
                .allSatisfy { $0 == 0 }
            #expect(isZero)
            unsafe memory.base.storeBytes(of: 42, toByteOffset: 70_000, as: UInt8.self)
        }
        let memory = try SharedMemory(path: shelf.file, bytes: 3 << 20)
        let (isNew, place) = unsafe (memory.isNew, UInt(bitPattern: memory.base))
        let kept = unsafe memory.base.load(fromByteOffset: 70_000, as: UInt8.self)
        #expect(!isNew && kept == 42)
        #expect(place % UInt(MappedMemory.largePage) == 0)
        #expect(Files.identity(shelf.file)?.mode == 0o600)
    }

    @Test func `A file that grew too small is filled up`() throws {
        let shelf = try Shelf()
        try Files.replace(shelf.file, with: [1, 2, 3])
        let memory = try SharedMemory(path: shelf.file, bytes: 3 << 20)
        let (isNew, count) = (memory.isNew, memory.count)
        #expect(!isNew && count == 4 << 20)
        let first = unsafe memory.base.load(fromByteOffset: 2, as: UInt8.self)
        let last = unsafe memory.base.load(fromByteOffset: (4 << 20) - 1, as: UInt8.self)
        #expect(first == 3 && last == 0)
    }

    @Test func `Two owners at a time there are not`() throws {
        let shelf = try Shelf()
        let memory = try SharedMemory(path: shelf.file, bytes: 1 << 20)
        do throws(SystemError) {
            _ = try SharedMemory(path: shelf.file, bytes: 1 << 20)
            Issue.record("a second owner got the memory")
        } catch {
            #expect(error.wouldBlock)
        }
        let count = memory.count
        #expect(count == 2 << 20)
    }

    @Test func `A file on a disk, a link and a file of others are refused`() throws {
        let shelf = try Shelf()
        do throws(SystemError) {
            _ = try SharedMemory(path: "/proc/self/status", bytes: 1 << 20)
            Issue.record("a file outside memory was taken")
        } catch {
            #expect(error.isOnDisk || error.isPermission)
        }
        try Files.replace(shelf.file, with: [])
        #expect(throws: SystemError.self) {
            _ = try SharedMemory(path: shelf.path, bytes: 1 << 20)
        }
        _ = try Program.run("ln", ["-s", shelf.file, shelf.path + "/link"])
        #expect(throws: SystemError.self) {
            _ = try SharedMemory(path: shelf.path + "/link", bytes: 1 << 20)
        }
        _ = try Program.run("chmod", ["0640", shelf.file])
        do throws(SystemError) {
            _ = try SharedMemory(path: shelf.file, bytes: 1 << 20)
            Issue.record("a file that others may read was taken")
        } catch {
            #expect(error.isPermission)
        }
    }

    @Test func `A kept table is told from a new one`() throws {
        let shelf = try Shelf()
        let configuration = Director.Configuration(connections: 1000, seed: 1)
        let bytes = Director.keptTableBytes(configuration)
        let now = Instant(nanoseconds: 5)
        do {
            let mapping = try TableMapping(path: shelf.file, bytes: bytes, home: Self.home)
            #expect(mapping.isNew && mapping.path == shelf.file)
            let director = Director(configuration, tableMemory: mapping.memory, now: now)
            #expect(director.adopted == nil)
        }
        let mapping = try TableMapping(path: shelf.file, bytes: bytes, home: Self.home)
        #expect(!mapping.isNew)
        let adoption = try TableAdoption(
            mapping.memory, connections: 1000, workers: 1, now: now, parts: 2)
        adoption.run(Thread.share)
        let director = Director(
            configuration, tableMemory: mapping.memory, now: now, adopting: adoption)
        #expect(director.adopted?.connections == 0)
    }

    @Test func `Every network namespace of a boot has a home of its own`() throws {
        let home = try #require(TableHome.current)
        #expect(home == TableHome.current)
        #expect(home.boot != 0 && home.network != 0)
    }
}

extension Program {
    /// Runs a program of the system to its end.
    fileprivate static func run(_ name: String, _ words: [String]) throws -> String {
        try ChildProgram.output(of: try #require(ChildProgram.find(name)), words)
    }
}
