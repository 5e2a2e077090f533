package main

import (
	"testing"

	"hookflow/config"

	"github.com/stretchr/testify/require"
)

func TestOpsHost(t *testing.T) {
	t.Parallel()
	dev := config.Config{Mode: config.Dev, HTTPAddr: "127.0.0.1:8080", OpsAddr: "127.0.0.1:8080", PublicURL: "https://Tunnel.example/prefix"}
	named := dev
	named.HTTPAddr, named.OpsAddr = "Box.lan:0", "box.lan:0"
	six := dev
	six.HTTPAddr, six.OpsAddr = "[::1]:0", "[::1]:0"
	wide := dev
	wide.HTTPAddr, wide.OpsAddr = ":8080", ":8080"
	two := dev
	two.OpsAddr = "192.0.2.7:9090"
	serve := config.Config{Mode: config.Serve, HTTPAddr: ":8080", OpsAddr: "127.0.0.1:9090", PublicURL: "https://hooks.example", OpsHosts: []string{"ops.example"}}
	for name, c := range map[string]struct {
		config    config.Config
		ours, not []string
	}{
		"dev":             {dev, []string{"127.0.0.1", "localhost", "::1", "tunnel.example"}, []string{"evil.example", "", "10.0.0.1", "localhost.evil.example", "evil.localhost"}},
		"dev, by name":    {named, []string{"box.lan", "127.0.0.1", "localhost"}, []string{"evil.example", "lan"}},
		"dev, IPv6":       {six, []string{"::1", "localhost"}, []string{"evil.example", "fd00::1"}},
		"dev, everywhere": {wide, []string{"127.0.0.1", "10.0.0.1", "fd00::1", "tunnel.example"}, []string{"evil.example", ""}},
		"dev, two":        {two, []string{"192.0.2.7", "127.0.0.1"}, []string{"evil.example", "192.0.2.8"}},
		"serve":           {serve, []string{"127.0.0.1", "localhost", "hooks.example", "ops.example"}, []string{"evil.example", "10.0.0.1", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours := opsHost(c.config)
			for _, host := range c.ours {
				require.True(t, ours(host), host)
			}
			for _, host := range c.not {
				require.False(t, ours(host), host)
			}
		})
	}
	for _, listen := range []string{":9090", "0.0.0.0:9090", "10.1.2.3:9090"} {
		c := serve
		c.OpsAddr = listen
		require.Nil(t, opsHost(c), "%s: reached by names that only its cluster has", listen)
	}
}
