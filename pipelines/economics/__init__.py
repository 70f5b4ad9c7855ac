"""What the money commands share that is more than arithmetic (`economics`): periods in words, calls priced anew."""
