import LVS
import PacketIO
import Testing

@Suite struct MemoryDriverTests {
    @Test func theMemoryDriverKeepsTheRulesOfThePort() {
        let driver = MemoryDriver(port: 3)
        DriverConformance(
            driver: driver, arrive: { driver.deliver($0) },
            departed: { driver.takeSent().map(\.bytes) }, station: 0x0200_0000_0001,
            farStation: 0x0200_0000_0002
        ).check()
    }

    @Test func aDriverThatIsDownCountsWhatItCannotSend() {
        let driver = MemoryDriver(port: 0)
        driver.isDown = true
        let held = HeldFrame(FrameBytes.plain(to: 1))
        driver.enqueue(held.frame)
        driver.flush()
        #expect(driver.takeSent().isEmpty)
        #expect(driver.statistics.sendFailed == 1)
    }
}
