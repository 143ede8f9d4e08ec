"""What the tests stand on: real servers, a faulty network, scripted peers. Import as `from support.servers import start`."""
