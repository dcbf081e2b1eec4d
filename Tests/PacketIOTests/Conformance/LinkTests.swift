import LVS
import PacketIO
import Posix
import Testing

/// What happens to an interface while it is served.
extension DriverConformance {
    /// Whether waiting reports a failure on the driver's descriptor, as the worker would see it.
    private func fails(_ driver: any PacketDriver) throws -> Bool {
        guard let descriptor = driver.descriptor else { return false }
        var poller = Poller()
        poller.add(descriptor, token: 0)
        var failed = false
        try poller.wait(nanoseconds: 0) { if $0.failed { failed = true } }
        return failed
    }

    @Test(arguments: DriverRow.onKernel)
    func anInterfaceMayGoDownAndComeUp(row: DriverRow) throws {
        let bench = try #require(row.bench() as? CableBench)
        for round in 0..<5 {
            try bench.ip("link set \(bench.name) down")
            bench.send([TestFrame(number: 1, to: bench.farStation)])
            #expect(bench.driver.statistics.sendFailed == UInt64(round + 1))
            // A failure that stays would keep the worker from sleeping.
            (bench.driver as? any RecoverableDriver)?.descriptorFailed()
            #expect(try !fails(bench.driver))
            #expect(!bench.interface.isDetached)
            try bench.setUp()
            bench.arrive(number: 8)
            #expect(bench.bounce().map(\.number) == [8])
            // What was refused while it was down is gone, not late.
            #expect(bench.departed(1).map(\.number) == [8])
        }
    }

    @Test(arguments: DriverRow.onKernel)
    func aDeletedInterfaceIsServedAgainWhenItComesBack(row: DriverRow) throws {
        let bench = try #require(row.bench() as? CableBench)
        for round in 1...3 {
            let before = bench.driver.statistics
            bench.arrive((0..<50).map { TestFrame(number: $0, to: bench.station) })
            #expect(bench.receive(20).count >= 20)
            try bench.delete()
            #expect(bench.interface.isDetached)
            bench.send([TestFrame(number: 1, to: bench.farStation)])
            #expect(bench.driver.statistics.sendFailed == before.sendFailed + 1)
            (bench.driver as? any RecoverableDriver)?.descriptorFailed()
            #expect(try !fails(bench.driver))
            #expect(try !bench.refresh())
            #expect(bench.interface.summary.hasSuffix("interface gone"))
            try bench.makeAnew()
            #expect(try bench.refresh())
            #expect(!bench.interface.isDetached)
            #expect(try !bench.refresh())
            // What waited in the old interface is gone; the worker changes over at this turn.
            _ = bench.receive(50, within: 20_000_000)
            for number in 0..<200 {
                bench.arrive(number: number)
                guard bench.bounce().map(\.number) == [number],
                    bench.departed(1).map(\.number) == [number]
                else {
                    Issue.record("frame \(number) was lost in round \(round)")
                    return
                }
            }
        }
    }

    @Test(arguments: DriverRow.onKernel)
    func anMTUMayGrowWhileServed(row: DriverRow) throws {
        let bench = try #require(row.bench() as? CableBench)
        let (old, new) = row.name == "xdp generic" ? (3600, 5000) : (1500, 3000)
        for round in 1...3 {
            try bench.setMTU(new)
            bench.arrive(number: 1, length: new + 14)
            bench.arrive(number: 2)
            if row.longest.map({ $0 >= new + 14 }) ?? true {
                #expect(bench.bounce(2).map(\.bytes.count) == [new + 14, 60])
                #expect(bench.departed(2).map(\.bytes.count) == [new + 14, 60])
                #expect(bench.driver.statistics.truncated == 0)
            } else {
                #expect(bench.bounce(1).map(\.number) == [2])
                #expect(bench.departed(1).map(\.number) == [2])
                #expect(bench.driver.statistics.truncated == UInt64(round))
            }
            try bench.setMTU(old)
            bench.arrive(number: 3, length: old + 14)
            #expect(bench.bounce().map(\.bytes.count) == [old + 14])
            #expect(bench.departed(1).map(\.bytes.count) == [old + 14])
        }
    }

    @Test(arguments: DriverRow.onKernel)
    func aShorterMTURefusesWhatIsLongerAndNothingElse(row: DriverRow) throws {
        let bench = try #require(row.bench() as? CableBench)
        try bench.setMTU(1000)
        bench.send([
            TestFrame(number: 1, to: bench.farStation, length: 1200),
            TestFrame(number: 2, to: bench.farStation, length: 1000),
        ])
        #expect(bench.departed(1).map(\.number) == [2])
        #expect(bench.departed(1, within: 20_000_000).isEmpty)
        // A bridge takes it, and it is the bridge's port that does not.
        let isTold = bench.name != "b0"
        #expect(bench.driver.statistics.sendFailed == (isTold ? 1 : 0))
        try bench.setMTU(1500)
        bench.send([TestFrame(number: 3, to: bench.farStation, length: 1200)])
        #expect(bench.departed(1).map(\.number) == [3])
    }

    /// A frame is there when it has arrived, not when a timer of the ring fires.
    @Test(arguments: DriverRow.onKernel)
    func aLoneFrameDoesNotWaitForATimer(row: DriverRow) throws {
        let bench = try row.bench()
        var waits: [UInt64] = []
        for number in 0..<101 {
            let frame = TestFrame(number: number, to: bench.station)
            let start = MonotonicClock.now()
            bench.arrive(frame)
            #expect(bench.bounce().map(\.number) == [number])
            waits.append(MonotonicClock.now() - start)
        }
        #expect(waits.sorted()[50] < 900_000, "half of them took \(waits.sorted()[50]) ns")
    }

    /// The kernel lets go of a closed driver's sockets in the background.
    @Test(arguments: DriverRow.onKernel)
    func aDriverMayBeOpenedRightAfterItWasClosed(row: DriverRow) throws {
        let bench = try #require(row.bench() as? CableBench)
        try bench.ip("link add d9 type veth peer name c9")
        if case .cable(mtu: 1500) = row.place {
        } else {
            // Generic mode by an MTU that native mode does not take.
            try bench.ip("link set d9 mtu 3600")
            try bench.ip("link set c9 mtu 3600")
        }
        try bench.ip("link set d9 up")
        let open = row.open
        for _ in 0..<20 {
            try TestNetwork.inside(bench.inside) { _ = try open("d9", 1) }
        }
        let link = try TestNetwork.run("ip -n \(bench.inside) link show d9")
        #expect(!link.contains("xdp"), "\(link)")
    }
}
