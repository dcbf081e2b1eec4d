import LVS
import PacketIO
import Posix
import Testing

/// What every driver must do, whatever is behind it; a new driver runs this suite as it is.
struct DriverConformance {
    let driver: any BurstDriver
    /// Makes the frame arrive at the driver.
    let arrive: ([UInt8]) -> Void
    /// Everything that left the driver and was not asked for before.
    let departed: () -> [[UInt8]]
    /// The MAC address of the driver's interface, and of who takes what departs.
    let station: UInt64
    let farStation: UInt64

    /// Runs everything; the driver must be fresh.
    func check() {
        nothingThereIsNoFrame()
        framesArriveInOrderAndWhole()
        theBurstsRoomIsKept()
        nothingLeavesBeforeTheFlush()
        framesLeaveAsTheEngineLeftThem()
        madeFramesFollowTheirCause()
        headersMayBePutBeforeAFrame()
        memoryComesBackForEver()
        everythingIsCounted()
    }

    private func frame(_ number: Int, length: Int = 60) -> [UInt8] {
        FrameBytes.plain(to: station, number: UInt8(number & 255), length: length)
    }

    private func reply(_ number: Int, length: Int = 60) -> [UInt8] {
        FrameBytes.plain(to: farStation, number: UInt8(number & 255), length: length)
    }

    private func turn(_ frame: Frame) {
        for (offset, byte) in FrameBytes.mac(farStation).enumerated() {
            unsafe frame.bytes.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
    }

    /// Receives until `count` frames are in the burst or a second has passed.
    private func receive(_ count: Int, into burst: inout Burst) {
        let end = MonotonicClock.now() + 1_000_000_000
        while burst.count < count, MonotonicClock.now() < end {
            if driver.receive(into: &burst) == 0 { Thread.yield() }
        }
    }

    private func wait(for count: Int) -> [[UInt8]] {
        let end = MonotonicClock.now() + 1_000_000_000
        var all: [[UInt8]] = []
        while all.count < count, MonotonicClock.now() < end { all += departed() }
        return all
    }

    private func nothingThereIsNoFrame() {
        var burst = Burst()
        let came = driver.receive(into: &burst)
        #expect(came == 0)
        driver.release()
        driver.flush()
        #expect(departed().isEmpty)
    }

    private func framesArriveInOrderAndWhole() {
        var burst = Burst()
        let lengths = [60, 61, 1514, 60, 300]
        for (number, length) in lengths.enumerated() { arrive(frame(number, length: length)) }
        receive(lengths.count, into: &burst)
        #expect(burst.count == lengths.count)
        for (index, length) in lengths.enumerated() where index < burst.count {
            #expect(FrameBytes.bytes(of: burst[index]) == frame(index, length: length))
            #expect(burst[index].ingress == driver.port)
            #expect(burst[index].headroom >= 64)
            #expect(burst[index].capacity >= burst[index].length)
            #expect(burst[index].verdict == .pass)
        }
        driver.release()
    }

    private func theBurstsRoomIsKept() {
        var burst = Burst()
        for number in 0..<100 { arrive(frame(number)) }
        receive(64, into: &burst)
        #expect(burst.count == 64)
        let came = driver.receive(into: &burst)
        #expect(came == 0)
        burst.removeAll()
        driver.release()
        receive(36, into: &burst)
        #expect(burst.count == 36)
        if burst.count > 0 { #expect(FrameBytes.bytes(of: burst[0]) == frame(64)) }
        driver.release()
    }

    private func nothingLeavesBeforeTheFlush() {
        let held = HeldFrame(reply(7))
        driver.enqueue(held.frame)
        #expect(departed().isEmpty)
        driver.flush()
        #expect(wait(for: 1) == [reply(7)])
        driver.flush()
        #expect(departed().isEmpty)
    }

    private func framesLeaveAsTheEngineLeftThem() {
        var burst = Burst()
        for number in 0..<3 { arrive(frame(number, length: 100)) }
        receive(3, into: &burst)
        for index in 0..<burst.count {
            unsafe burst[index].bytes.storeBytes(of: 0xaa, toByteOffset: 40, as: UInt8.self)
            burst[index].length = 80
            turn(burst[index])
            burst[index].verdict = index == 1 ? .drop(.noRoute) : .send(driver.port)
        }
        driver.enqueue(sendsOf: burst)
        driver.flush()
        driver.release()
        let expected = [0, 2].map { number in
            var bytes = Array(reply(number, length: 100).prefix(80))
            bytes[40] = 0xaa
            return bytes
        }
        #expect(wait(for: 2) == expected)
    }

    private func madeFramesFollowTheirCause() {
        var burst = Burst()
        for number in 0..<3 { arrive(frame(number)) }
        receive(3, into: &burst)
        guard burst.count == 3 else { return }
        for (cause, number) in [(0, 100), (0, 101), (2, 102), (Burst.capacity, 103)] {
            let bytes = reply(number)
            guard var made = burst.make(length: 60, ingress: driver.port, cause: cause) else {
                Issue.record("no memory for a made frame")
                return
            }
            unsafe made.bytes.copyMemory(from: bytes, byteCount: 60)
            made.verdict = .send(driver.port)
            burst.setMadeFrame(burst.madeCount - 1, made)
        }
        turn(burst[1])
        turn(burst[2])
        burst[0].verdict = .consumed
        burst[1].verdict = .send(driver.port)
        burst[2].verdict = .send(driver.port)
        driver.enqueue(sendsOf: burst)
        driver.flush()
        driver.release()
        #expect(wait(for: 6).map { $0[20] } == [100, 101, 1, 2, 102, 103])
    }

    private func headersMayBePutBeforeAFrame() {
        var burst = Burst()
        arrive(frame(9))
        receive(1, into: &burst)
        guard burst.count == 1 else { return }
        unsafe burst[0].bytes -= 50
        burst[0].headroom -= 50
        burst[0].length += 50
        burst[0].capacity += 50
        let longer = reply(10, length: 110)
        unsafe burst[0].bytes.copyMemory(from: longer, byteCount: longer.count)
        burst[0].verdict = .send(driver.port)
        driver.enqueue(sendsOf: burst)
        driver.flush()
        driver.release()
        #expect(wait(for: 1) == [longer])
    }

    private func memoryComesBackForEver() {
        var burst = Burst()
        for round in 0..<200 {
            for number in 0..<32 { arrive(frame(round + number)) }
            receive(32, into: &burst)
            guard burst.count == 32, burst[31].length == 60 else {
                Issue.record("round \(round) brought \(burst.count) of 32 frames")
                return
            }
            burst.removeAll()
            driver.release()
        }
    }

    private func everythingIsCounted() {
        let counts = driver.statistics
        #expect(counts.receivedFrames == 5 + 100 + 3 + 3 + 1 + 6400)
        #expect(counts.receivedBytes > 60 * counts.receivedFrames)
        #expect(counts.sentFrames == 1 + 2 + 6 + 1)
        #expect(counts.sentBytes == 60 + 160 + 360 + 110)
        #expect(counts.ringFull == 0)
        #expect(counts.truncated == 0)
        #expect(counts.sendFailed == 0)
    }
}
