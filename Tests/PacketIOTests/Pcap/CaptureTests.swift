import Foundation
import LVS
import PacketIO
import Posix
import TestKit
import Testing

@Suite struct CaptureTests {
    /// A frame of a capture file.
    private struct Entry: Equatable {
        var nanoseconds: UInt64
        var length: Int
        var bytes: [UInt8]
    }

    private func place() throws -> String {
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "lvs-capture-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory.path
    }

    /// The frames of a file in the format of libpcap, nanoseconds, Ethernet; little-endian.
    private func entries(_ path: String) throws -> [Entry] {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        func word(_ offset: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * UInt32($1)) }
        }
        try #require(bytes.count >= 24)
        #expect(word(0) == 0xa1b2_3c4d)
        #expect(word(20) == 1)
        var all: [Entry] = []
        var offset = 24
        while offset < bytes.count {
            try #require(offset + 16 <= bytes.count)
            let (seconds, rest) = (UInt64(word(offset)), UInt64(word(offset + 4)))
            let (captured, length) = (Int(word(offset + 8)), Int(word(offset + 12)))
            try #require(offset + 16 + captured <= bytes.count)
            all.append(
                Entry(
                    nanoseconds: seconds * 1_000_000_000 + rest, length: length,
                    bytes: Array(bytes[offset + 16..<offset + 16 + captured])))
            offset += 16 + captured
        }
        return all
    }

    /// A driver in memory that a capture looks at.
    private func capturing(
        _ memory: MemoryDriver, _ path: String, limit: UInt64 = 1 << 30
    ) throws -> (any InterfaceDriver, CaptureFile) {
        let file = try CaptureFile(path: path, bytes: limit, workers: 1)
        let driver = file.capturing(FaultyDriver(memory), worker: 0)
        return (driver, file)
    }

    private func pause(milliseconds: Double) {
        Foundation.Thread.sleep(forTimeInterval: milliseconds / 1000)
    }

    /// Receives what is there and sends it back.
    private func bounce(_ driver: any InterfaceDriver) -> Int {
        var burst = Burst()
        let came = driver.receive(into: &burst)
        for index in 0..<burst.count { burst[index].verdict = .send(driver.port) }
        driver.enqueue(sendsOf: burst)
        driver.flush()
        driver.release()
        return came
    }

    @Test func everyFrameIsInTheFileOnceAsItCameAndAsItLeft() throws {
        let directory = try place()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let memory = MemoryDriver(port: 0)
        let (driver, file) = try capturing(memory, "\(directory)/a.pcap")
        let before = TestFrame(number: 1, to: 9)
        memory.deliver(before.bytes)
        #expect(bounce(driver) == 1)
        #expect(!Files.exists("\(directory)/a.pcap"))
        try file.begin()
        let start = UInt64(Date().timeIntervalSince1970 * 1e9) - 1_000_000_000
        let plain = TestFrame(number: 2, to: 9, length: 300)
        var tagged = TestFrame(number: 3, to: 9)
        tagged.vlan = TestFrame.tag100
        memory.deliver(plain.bytes)
        memory.deliver(tagged.bytes) { tagged.describe(&$0) }
        #expect(bounce(driver) == 2)
        let made = TestFrame(number: 4, to: 9)
        driver.send([made.held()])
        file.close()
        memory.deliver(before.bytes)
        #expect(bounce(driver) == 1)
        var inFile = tagged.bytes
        inFile.insert(contentsOf: [0x81, 0, 0, 100], at: 12)
        let all = try entries("\(directory)/a.pcap")
        #expect(
            all.map(\.bytes) == [plain.bytes, inFile, plain.bytes, inFile, made.bytes])
        #expect(all.map(\.length) == all.map(\.bytes.count))
        #expect(all.allSatisfy { $0.nanoseconds > start })
        #expect(zip(all, all.dropFirst()).allSatisfy { $0.nanoseconds <= $1.nanoseconds })
        #expect(memory.takeSent().count == 5)
        // Headers, two frames twice, one of them with its tag, and the made one.
        #expect(file.summary == "capture to \(directory)/a.pcap: 5 frames, 892 bytes")
        let mode = try FileManager.default.attributesOfItem(atPath: "\(directory)/a.pcap")
        #expect(mode[.posixPermissions] as? Int == 0o600)
    }

    @Test func theFileEndsBeforeItsLimitAndForwardingGoesOn() throws {
        let directory = try place()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let memory = MemoryDriver(port: 0)
        let (driver, file) = try capturing(memory, "\(directory)/a.pcap", limit: 10_000)
        try file.begin()
        for _ in 0..<10 {
            for number in 0..<50 { memory.deliver(TestFrame(number: number, to: 9).bytes) }
            #expect(bounce(driver) == 50)
            pause(milliseconds: 5)
        }
        #expect(eventually { file.summary.contains("the limit of 10000 bytes") })
        #expect(file.takeNews()?.contains("the limit of 10000 bytes") == true)
        #expect(file.takeNews() == nil)
        file.close()
        let all = try entries("\(directory)/a.pcap")
        #expect(all.count == (10_000 - 24) / 76)
        #expect(memory.takeSent().count == 500)
    }

    /// A burst larger than what waits for the disk: what is not in the file is counted.
    @Test func whatFindsNoRoomIsCounted() throws {
        let directory = try place()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let memory = MemoryDriver(port: 0)
        let (driver, file) = try capturing(memory, "\(directory)/a.pcap")
        try file.begin()
        let long = HeldFrame([UInt8](repeating: 7, count: 65_000))
        defer { withExtendedLifetime(long) {} }
        for _ in 0..<400 { driver.enqueue(long.frame) }
        file.close()
        let all = try entries("\(directory)/a.pcap")
        #expect(all.allSatisfy { $0.bytes.count == 65_000 })
        let words = file.summary.split(separator: " ")
        let position = words.firstIndex(of: "missed")
        let missed = position.flatMap { Int(words[$0 - 1]) } ?? 0
        #expect(all.count + missed == 400)
        #expect(all.count >= 60)
    }

    @Test(.enabled(if: TestNetwork.isPossible, "needs root"))
    func aFullDiskEndsTheCaptureWithWholeFramesAndForwardingGoesOn() throws {
        let directory = try place()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try TestNetwork.run("mount -t tmpfs -o size=64k none \(directory)")
        defer { _ = try? TestNetwork.run("umount -l \(directory)") }
        let memory = MemoryDriver(port: 0)
        let (driver, file) = try capturing(memory, "\(directory)/a.pcap")
        try file.begin()
        for _ in 0..<40 {
            for number in 0..<50 {
                memory.deliver(TestFrame(number: number, to: 9, length: 200).bytes)
            }
            #expect(bounce(driver) == 50)
            pause(milliseconds: 1)
        }
        #expect(eventually { file.summary.contains("No space left on device") })
        file.close()
        let all = try entries("\(directory)/a.pcap")
        #expect(all.count < 65536 / 216)
        #expect(all.allSatisfy { $0.bytes.count == 200 })
        #expect(memory.takeSent().count == 2000)
    }

    @Test(arguments: [
        ("/nosuch/a.pcap", "No such file or directory"), ("/dev/null", "Invalid argument"),
        ("/tmp", "Is a directory"),
    ])
    func whatCannotBeAFileIsNamed(path: String, reason: String) throws {
        let file = try CaptureFile(path: path, bytes: 1000, workers: 1)
        let error = #expect(throws: SystemError.self) { try file.begin() }
        #expect(error?.description == "capture to \(path): \(reason)")
        file.close()
    }
}
