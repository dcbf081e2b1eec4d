import LVS
import TestKit
import Testing

/// A live worker is asked for stories by another thread.
@Suite struct NarratorDeskTests {
    @Test func `The next packets that are wanted are told of, and no more`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let desk = rig.rig.director.workers[0].desk
        desk.ask(most: 2) { $0.sourcePort >= 4002 }
        for port in UInt16(4000)...4005 {
            _ = rig.send(rig.builder.tcp(from: port, to: 80, flags: 2))
        }
        let stories = desk.takeStories()
        #expect(stories.map { $0.arrived.bytes.be16(34) } == [4002, 4003])
        #expect(stories.allSatisfy { $0.verdict == .send(1) })
        #expect(desk.takeStories().isEmpty)
        #expect(rig.rig.director.workers[0].narrator == nil)
    }

    @Test func `Who stops gets nothing that comes later`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let desk = rig.rig.director.workers[0].desk
        desk.ask(most: 2) { _ in true }
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        desk.stop()
        _ = rig.send(rig.builder.tcp(from: 4001, to: 80, flags: 2))
        #expect(desk.takeStories().isEmpty)
        #expect(rig.rig.director.workers[0].narrator == nil)
    }

    @Test func `A new request forgets what was told for the last one`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let desk = rig.rig.director.workers[0].desk
        desk.ask(most: 5) { _ in true }
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        desk.ask(most: 1) { $0.sourcePort == 4002 }
        for port in UInt16(4001)...4003 {
            _ = rig.send(rig.builder.tcp(from: port, to: 80, flags: 2))
        }
        #expect(desk.takeStories().map { $0.arrived.bytes.be16(34) } == [4002])
    }

    @Test func `A narrator of the worker's own thread stays`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let narrator = Narrator(most: 1)
        rig.rig.director.workers[0].narrator = narrator
        rig.rig.director.workers[0].desk.stop()
        for port in UInt16(4000)...4002 {
            _ = rig.send(rig.builder.tcp(from: port, to: 80, flags: 2))
        }
        #expect(narrator.stories.count == 1)
        #expect(narrator.isFull)
    }

    @Test func `What is not taken in time is counted and takes no memory`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let desk = rig.rig.director.workers[0].desk
        desk.ask(Narrator.Terms(most: 1000, waitingBytes: 20_000)) { _ in true }
        for port in UInt16(4000)..<4100 {
            _ = rig.send(rig.builder.tcp(from: port, to: 80, flags: 2))
        }
        let delivery = desk.take()
        #expect((1...20).contains(delivery.stories.count))
        #expect(delivery.stories.count + Int(delivery.lost) == 100)
        // What was taken leaves room.
        _ = rig.send(rig.builder.tcp(from: 4100, to: 80, flags: 2))
        let next = desk.take()
        #expect(next.stories.count == 1 && next.lost == 0)
    }

    @Test func `Of a frame as much is kept as is wanted, and its length is known`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let desk = rig.rig.director.workers[0].desk
        desk.ask(Narrator.Terms(most: 1, frameBytes: 40)) { _ in true }
        let frame = rig.builder.tcp(from: 4000, to: 80, flags: 2)
        _ = rig.send(frame)
        let story = try #require(desk.takeStories().first)
        #expect(story.arrived.bytes == Array(frame.prefix(40)))
        #expect(story.arrived.length == frame.count && story.left?.length == frame.count)
        #expect(story.left?.bytes.count == 40)
        #expect(story.time == rig.rig.clock.now)
    }

    @Test func `A decision names all servers or the chosen one alone`() throws {
        for compares in [true, false] {
            let rig = try ForwardingRig(method: .masquerading)
            let key = ServiceKey.address(.tcp, ForwardingRig.virtual, port: 80)
            for number in UInt32(1)...50 {
                let address = IPAddress(v4: 0x0a02_0100 + number)
                try rig.rig.director.add(
                    RealServer(address: address, port: 80, method: .masquerading), to: key)
            }
            let desk = rig.rig.director.workers[0].desk
            desk.ask(Narrator.Terms(most: 1, comparesServers: compares)) { _ in true }
            _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
            let story = try #require(desk.takeStories().first)
            for case .scheduled(let scheduling) in story.steps {
                #expect(scheduling.candidates.count == (compares ? 51 : 1))
                #expect(scheduling.candidates.contains { $0.number == scheduling.chosen })
            }
            #expect(story.steps.contains { if case .scheduled = $0 { true } else { false } })
        }
    }

    /// Some packets of a burst are told of, and all get what they get when nobody listens.
    @Test func `Packets between those that are told of go as ever`() throws {
        func outcomes(asking: Bool) throws -> (Int, [DirectorRig.Outcome]) {
            let rig = try ForwardingRig(method: .masquerading)
            let desk = rig.rig.director.workers[0].desk
            if asking {
                desk.ask(Narrator.Terms(most: 100)) { $0.sourcePort % 3 == 0 }
            }
            let openers = (UInt16(4000)..<4030).map {
                rig.builder.tcp(from: $0, to: 80, flags: 2)
            }
            let more = (UInt16(4000)..<4064).map {
                rig.builder.tcp(from: $0, to: $0 % 5 == 0 ? 81 : 80, flags: 16)
            }
            let outcomes = rig.rig.send(openers, on: 0) + rig.rig.send(more, on: 0)
            return (desk.takeStories().count, outcomes)
        }
        let (told, heard) = try outcomes(asking: true)
        let (_, unheard) = try outcomes(asking: false)
        #expect(told == 10 + 21)
        #expect(heard == unheard)
    }
}
